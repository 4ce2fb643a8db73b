"""The last look at each task of a run, as one int, kept in sixteen bytes."""

from __future__ import annotations

from array import array
from typing import Final

from orchestrator.spec.task_set import TaskNumbers

_LOW_BITS: Final = 36
_LOW: Final = (1 << _LOW_BITS) - 1
_NEVER: Final = -2
"""In the upper half of a look: that task was not seen. No time is so, and what is over is -1."""


class Looks:
    """A dictionary of ints of up to 99 bits by task id, that grows as far as the highest number met.

    A dictionary of its own would take 240 bytes a task, with the names.

    Args:
        numbers: of the run's tasks.
    """

    def __init__(self, numbers: TaskNumbers) -> None:
        self._numbers = numbers
        self._high = array("q")
        self._low = array("q")

    def get(self, task_id: str) -> int | None:
        """The look at a task; None if there was none."""
        number = self._numbers.find(task_id)
        if number is None or number >= len(self._high):
            return None
        high = self._high[number]
        return None if high == _NEVER else high << _LOW_BITS | self._low[number]

    def keep(self, task_id: str, look: int) -> None:
        """Keep a look at a task, in place of the one before.

        Args:
            task_id: of the task.
            look: not negative, or -1.
        """
        number = self._numbers.number(task_id)
        if (missing := number + 1 - len(self._high)) > 0:
            self._high.extend([_NEVER] * missing)
            self._low.extend([0] * missing)
        self._high[number] = look >> _LOW_BITS
        self._low[number] = look & _LOW
