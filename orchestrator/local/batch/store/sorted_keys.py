"""Keys in order, in blocks: an insertion moves a block and not a million keys.

A walk starts with a binary search. Each key comes with a number, and a walk may pass over the keys whose
number is too low, whole blocks of them at a time: a block knows a number that none of its keys exceeds.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterator
from typing import Final

_BLOCK: Final = 1024


class SortedKeys:
    """Different keys, in the order of their characters."""

    __slots__ = ("_blocks", "_highest", "_lasts")

    def __init__(self) -> None:
        self._blocks: list[list[str]] = []
        self._lasts: list[str] = []
        self._highest: list[int] = []

    def add(self, key: str, number: int = 0) -> None:
        """Put a key in.

        Args:
            key: that is not there yet.
            number: by which walks may pass it over.
        """
        if not self._blocks:
            self._blocks.append([key])
            self._lasts.append(key)
            self._highest.append(number)
            return
        at = min(bisect_left(self._lasts, key), len(self._blocks) - 1)
        block = self._blocks[at]
        insort(block, key)
        self._highest[at] = max(self._highest[at], number)
        if len(block) > 2 * _BLOCK:
            self._blocks.insert(at + 1, block[_BLOCK:])
            self._lasts.insert(at + 1, block[-1])
            self._highest.insert(at + 1, self._highest[at])
            del block[_BLOCK:]
        self._lasts[at] = block[-1]

    def remove(self, key: str) -> None:
        """Take a key out.

        Args:
            key: that is there.
        """
        at = bisect_left(self._lasts, key)
        block = self._blocks[at]
        del block[bisect_left(block, key)]
        if block:
            self._lasts[at] = block[-1]
        else:
            del self._blocks[at], self._lasts[at], self._highest[at]

    def __iter__(self) -> Iterator[str]:
        return (key for block in self._blocks for key in block)

    def after(self, start: str | None, *, least: int = 0) -> Iterator[str]:
        """Walk in order. The keys must not change while the walk goes on.

        Args:
            start: the walk begins behind it, whether or not it still exists. None for the first key.
            least: keys with a lower number may be left out.

        Yields:
            Keys.
        """
        first = 0 if start is None else bisect_right(self._lasts, start)
        for at in range(first, len(self._blocks)):
            if self._highest[at] < least:
                continue
            block = self._blocks[at]
            yield from block[bisect_right(block, start) :] if start is not None and at == first else block
