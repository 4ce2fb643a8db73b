"""A job's tasks by state and by the time of their last change: nobody looks at a million to find ten."""

from __future__ import annotations

import heapq
from collections.abc import Collection, Iterator
from typing import Final

from orchestrator.local.batch.store.moments import Moments
from orchestrator.local.batch.store.sorted_keys import SortedKeys
from orchestrator.local.batch.store.states import TaskState

_FEW: Final = 32_768
"""Changes that are gathered and put in order. More than that are so dense in a million tasks that a walk in
order meets a page of them as soon."""


class TaskIndex:
    """Lower-cased ids of tasks."""

    __slots__ = ("_changes", "_states")

    def __init__(self) -> None:
        self._states: dict[str, SortedKeys] = {state.value: SortedKeys() for state in TaskState}
        self._changes = Moments()

    def add(self, key: str, state: TaskState, since: int) -> None:
        """Take a task in.

        Args:
            key: its lower-cased id.
            state: in which it is.
            since: when it came there, in ticks.
        """
        self._states[state.value].add(key, since)
        self._changes.add(key, since)

    def remove(self, key: str, state: TaskState, since: int) -> None:
        """Take a task out.

        Args:
            key: its lower-cased id.
            state: in which it is.
            since: when it came there, in ticks.
        """
        self._states[state.value].remove(key)
        self._changes.remove(key, since)

    def walk(
        self, start: str | None, *, states: Collection[str] | None, first: int | None, last: int | None
    ) -> Iterator[str]:
        """Walk over the tasks that may be meant, in the order of lists.

        The index must not change while the walk goes on.

        Args:
            start: the walk begins behind this key; None for the first.
            states: wire values; None for any.
            first: earliest time of the last change, in ticks; None for any.
            last: latest, itself included; None for any.

        Yields:
            Keys of all the tasks meant, and maybe of others.
        """
        if first is not None or last is not None:
            found = self._changes.between(first, last, most=_FEW)
            if found is not None:
                heap = found if start is None else [key for key in found if key > start]
                heapq.heapify(heap)
                while heap:
                    yield heapq.heappop(heap)
                return
        chosen = [
            keys.after(start, least=first or 0)
            for state, keys in self._states.items()
            if states is None or state in states
        ]
        yield from chosen[0] if len(chosen) == 1 else heapq.merge(*chosen)
