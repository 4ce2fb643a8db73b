"""How far before the newest change a look at changed tasks begins. Pure."""

from __future__ import annotations

from typing import Final

_LEAST: Final = 1.0
_TWICE: Final = 2.0
_PERIODS: Final = 2


class Reach:
    """Reaches as far back as changes came late of late, and all the way now and then.

    The service's clocks and the nodes' differ, and rows may come late: so a look begins before the newest
    change that is known. Most of what it lists then is known already, ten times over where tasks end all the
    time; it is what looks cost most by, here and at the service.

    Args:
        most: the farthest, in seconds; every half of that time a look reaches so far, whatever came.
    """

    def __init__(self, most: float) -> None:
        self._most = most
        self._whole_at = -float("inf")
        self._usual = most
        self._late = self._late_before = 0.0

    def next(self, now: float) -> float:
        """How far the look that begins now reaches back, in seconds.

        Args:
            now: on any clock that only goes forward, in seconds.
        """
        if now - self._whole_at < self._most / _PERIODS:
            return self._usual
        if self._whole_at > -float("inf"):
            self._usual = self._enough(max(self._late, self._late_before))
        self._whole_at, self._late_before, self._late = now, self._late, 0.0
        return self._most

    def came(self, late: float) -> None:
        """A change was news though a newer one was known before.

        Args:
            late: by how much that was newer, in seconds.
        """
        if late > self._late:
            self._late = late
            self._usual = max(self._usual, self._enough(late))

    def _enough(self, late: float) -> float:
        return min(_LEAST + _TWICE * late, self._most)
