"""How many tasks of a job are in which state, kept up as they move."""

from __future__ import annotations

from typing import Final

from orchestrator.local.batch.store.states import TaskState

NAMES: Final = ("active", "running", "completed", "succeeded", "failed")


class TaskCounts:
    """Tasks and their slots by state; a task that is being prepared counts as running."""

    __slots__ = ("slots", "tasks")

    def __init__(self) -> None:
        self.tasks = dict.fromkeys(NAMES, 0)
        self.slots = dict.fromkeys(NAMES, 0)

    @property
    def unfinished(self) -> int:
        """Tasks that are not completed."""
        return self.tasks["active"] + self.tasks["running"]

    @property
    def busy(self) -> int:
        """Tasks that are on a node."""
        return self.tasks["running"]

    def add(self, state: TaskState, slots: int, *, succeeded: bool) -> None:
        """Count a task in.

        Args:
            state: where it is now.
            slots: that it requires.
            succeeded: matters for a completed one.
        """
        self._change(state, succeeded, 1, slots)

    def remove(self, state: TaskState, slots: int, *, succeeded: bool) -> None:
        """Count a task out.

        Args:
            state: where it was.
            slots: that it requires.
            succeeded: matters for a completed one.
        """
        self._change(state, succeeded, -1, -slots)

    def _change(self, state: TaskState, succeeded: bool, tasks: int, slots: int) -> None:
        names: tuple[str, ...]
        if state is TaskState.COMPLETED:
            names = ("completed", "succeeded" if succeeded else "failed")
        else:
            names = ("active",) if state is TaskState.ACTIVE else ("running",)
        for name in names:
            self.tasks[name] += tasks
            self.slots[name] += slots
