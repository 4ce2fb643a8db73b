"""Keys by when something happened to them, for questions about a stretch of time.

Kept by the second: a key goes in and out at once, however many there are, and an answer may hold keys from
the seconds at both ends that lie outside the stretch.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from itertools import islice

from orchestrator.local.wire.times import TICKS_PER_SECOND


class Moments:
    """Keys, each with an instant in ticks."""

    __slots__ = ("_order", "_seconds")

    def __init__(self) -> None:
        self._seconds: dict[int, set[str]] = {}
        self._order: list[int] = []

    def add(self, key: str, at: int) -> None:
        """Put a key in.

        Args:
            key: that is not there yet.
            at: its instant.
        """
        second = at // TICKS_PER_SECOND
        found = self._seconds.get(second)
        if found is None:
            found = self._seconds[second] = set()
            insort(self._order, second)
        found.add(key)

    def remove(self, key: str, at: int) -> None:
        """Take a key out.

        Args:
            key: that is there.
            at: its instant.
        """
        second = at // TICKS_PER_SECOND
        found = self._seconds[second]
        found.discard(key)
        if not found:
            del self._seconds[second], self._order[bisect_left(self._order, second)]

    def between(self, first: int | None, last: int | None, *, most: int) -> list[str] | None:
        """Find the keys of a stretch of time, if they are few.

        Args:
            first: its beginning; None for no bound.
            last: its end, itself included; None for no bound.
            most: keys that are worth to be gathered.

        Returns:
            Every key of the stretch, and maybe others, in any order; None if there are more than that.
        """
        low = 0 if first is None else bisect_left(self._order, first // TICKS_PER_SECOND)
        high = len(self._order) if last is None else bisect_right(self._order, last // TICKS_PER_SECOND)
        found: list[str] = []
        for second in islice(self._order, low, high):
            keys = self._seconds[second]
            if len(found) + len(keys) > most:
                return None
            found.extend(keys)
        return found
