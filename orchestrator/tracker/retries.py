"""Which failed tasks run again, and which are over: pure."""

from __future__ import annotations

import enum
from collections import Counter
from collections.abc import Mapping
from datetime import datetime

from orchestrator.states import FailureClass, TaskSnapshot, TaskState
from orchestrator.tracker.failure_class import classify


class AfterEnd(enum.Enum):
    """What a look at a task that may have ended means for its retries."""

    NOTHING = "nothing"
    """It has not failed, or is over for good: the look goes its way."""
    RETRY = "retry"
    """It is to be reactivated."""
    STALE = "stale"
    """It shows an end that was answered by a reactivation already."""


class Retries:
    """Counts, for each task and class of failure, how often it was run again.

    It keeps something only for tasks that failed for a class that has retries.

    Args:
        allowed: how often a task may be run again, by the class of its failure.
    """

    def __init__(self, allowed: Mapping[FailureClass, int]) -> None:
        self._allowed = {each: times for each, times in allowed.items() if times > 0}
        self._spent: dict[str, Counter[FailureClass]] = {}
        self._answered: dict[str, set[datetime]] = {}
        self._over: set[str] = set()

    @property
    def may_happen(self) -> bool:
        """Whether any class of failure is tried again, so that the job must not end by itself."""
        return bool(self._allowed)

    def look(self, snapshot: TaskSnapshot) -> AfterEnd:
        """Decide on a task.

        Args:
            snapshot: the task as the service describes it now.
        """
        if not self._allowed or snapshot.state is not TaskState.COMPLETED or snapshot.succeeded:
            return AfterEnd.NOTHING
        if snapshot.id in self._over:
            return AfterEnd.NOTHING
        # Delta polls overlap, and a late answer shows the past: that end was dealt with.
        if snapshot.state_changed in self._answered.get(snapshot.id, ()):
            return AfterEnd.STALE
        why = classify(snapshot.failure)
        spent = self._spent.get(snapshot.id, Counter())[why]
        return AfterEnd.RETRY if spent < self._allowed.get(why, 0) else AfterEnd.NOTHING

    def reactivated(self, snapshot: TaskSnapshot) -> None:
        """Note that the service lets the task run again.

        Args:
            snapshot: of its end.
        """
        self.remember(snapshot.id, classify(snapshot.failure))
        self._answered.setdefault(snapshot.id, set()).add(snapshot.state_changed)

    def remember(self, task_id: str, why: FailureClass) -> None:
        """Note a retry of which only this much is known, as from a journal.

        Args:
            task_id: of the task.
            why: class of the failure.
        """
        self._spent.setdefault(task_id, Counter())[why] += 1

    def refused(self, task_id: str) -> None:
        """Note that the service does not let the task run again: it is over.

        Args:
            task_id: of the task.
        """
        self._over.add(task_id)
