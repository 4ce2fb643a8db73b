"""Which tasks of a job wait for which.

Source of facts: the product page "Task dependencies". All named tasks must be satisfied, ids may name tasks
that are not there yet, and a range of numbers means the tasks whose ids read as those numbers (`9` and
`009` alike).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Range = tuple[int, int]


class DependencyGraph:
    """Waiting tasks of one job."""

    __slots__ = ("_by_name", "_by_range", "_range_missing", "_satisfied", "_satisfied_numbers", "_waiting")

    def __init__(self) -> None:
        self._waiting: dict[str, int] = {}
        self._by_name: dict[str, list[str]] = {}
        self._by_range: dict[Range, list[str]] = {}
        self._range_missing: dict[Range, int] = {}
        self._satisfied: set[str] = set()
        self._satisfied_numbers: set[int] = set()

    def add(self, task_id: str, depends_on: Mapping[str, Any]) -> bool:
        """Take a task in.

        Args:
            task_id: in any case.
            depends_on: wire form.

        Returns:
            Whether it has to wait.
        """
        key = task_id.lower()
        needs = 0
        for name in {name.lower() for name in depends_on.get("taskIds", ())}:
            if name not in self._satisfied:
                self._by_name.setdefault(name, []).append(key)
                needs += 1
        for span in {(one["start"], one["end"]) for one in depends_on.get("taskIdRanges", ())}:
            if span not in self._range_missing:
                numbers = range(span[0], span[1] + 1)
                self._range_missing[span] = sum(n not in self._satisfied_numbers for n in numbers)
            if self._range_missing[span]:
                self._by_range.setdefault(span, []).append(key)
                needs += 1
        if needs:
            self._waiting[key] = needs
        return bool(needs)

    def waits(self, task_id: str) -> bool:
        """Tell whether a task still has to wait.

        Args:
            task_id: in any case.
        """
        return task_id.lower() in self._waiting

    def satisfy(self, task_id: str) -> list[str]:
        """Note that a task's dependents need not wait for it any more.

        Args:
            task_id: in any case.

        Returns:
            Lower-cased ids of tasks that now wait for nothing.
        """
        key = task_id.lower()
        if key in self._satisfied:
            return []
        self._satisfied.add(key)
        freed = self._met(self._by_name.pop(key, ()))
        if key.isascii() and key.isdigit() and int(key) not in self._satisfied_numbers:
            number = int(key)
            self._satisfied_numbers.add(number)
            for span in self._range_missing:
                if span[0] <= number <= span[1]:
                    self._range_missing[span] -= 1
                    if not self._range_missing[span]:
                        freed += self._met(self._by_range.pop(span, ()))
        return freed

    def discard(self, task_id: str) -> None:
        """Forget a deleted task's own waiting.

        Args:
            task_id: in any case.
        """
        self._waiting.pop(task_id.lower(), None)

    def _met(self, waiting: list[str] | tuple[str, ...]) -> list[str]:
        freed = []
        for key in waiting:
            left = self._waiting.get(key)
            if left is None:  # deleted meanwhile
                continue
            if left == 1:
                del self._waiting[key]
                freed.append(key)
            else:
                self._waiting[key] = left - 1
        return freed
