"""A mapping by id whose pages come in the order of lists: by lower-cased id (recorded).

Keys are kept in blocks, so that an insertion moves a block and not a million keys, and a page starts with a
binary search.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterator
from typing import Final, Generic, TypeVar

T = TypeVar("T")

_BLOCK: Final = 1024


class SortedIndex(Generic[T]):
    """Values by id; ids that differ in case only are the same."""

    __slots__ = ("_blocks", "_lasts", "_values")

    def __init__(self) -> None:
        self._values: dict[str, T] = {}
        self._blocks: list[list[str]] = []
        self._lasts: list[str] = []

    def __len__(self) -> int:
        return len(self._values)

    def __iter__(self) -> Iterator[T]:
        return (self._values[key] for block in self._blocks for key in block)

    def __contains__(self, name: str) -> bool:
        return name.lower() in self._values

    def get(self, name: str) -> T | None:
        """Look a value up.

        Args:
            name: in any case.

        Returns:
            The value, or None.
        """
        return self._values.get(name.lower())

    def add(self, name: str, value: T) -> None:
        """Put a value in.

        Args:
            name: not in the index yet.
            value: to be found under it.

        Raises:
            ValueError: when the name is taken.
        """
        key = name.lower()
        if key in self._values:
            raise ValueError(f"{name!r} is taken")
        self._values[key] = value
        if not self._blocks:
            self._blocks.append([key])
            self._lasts.append(key)
            return
        at = min(bisect_left(self._lasts, key), len(self._blocks) - 1)
        block = self._blocks[at]
        insort(block, key)
        if len(block) > 2 * _BLOCK:
            self._blocks.insert(at + 1, block[_BLOCK:])
            self._lasts.insert(at + 1, block[-1])
            del block[_BLOCK:]
        self._lasts[at] = block[-1]

    def pop(self, name: str) -> T:
        """Take a value out.

        Args:
            name: in the index.

        Returns:
            The value.

        Raises:
            KeyError: when there is none.
        """
        key = name.lower()
        value = self._values.pop(key)
        at = bisect_left(self._lasts, key)
        block = self._blocks[at]
        del block[bisect_left(block, key)]
        if block:
            self._lasts[at] = block[-1]
        else:
            del self._blocks[at], self._lasts[at]
        return value

    def after(self, key: str | None) -> Iterator[tuple[str, T]]:
        """Walk in order.

        The index must not change while the walk goes on.

        Args:
            key: lower-cased; the walk begins behind it, whether or not it still exists. None for the start.

        Yields:
            Lower-cased ids and values.
        """
        values = self._values
        at = 0 if key is None else bisect_right(self._lasts, key)
        for position in range(at, len(self._blocks)):
            block = self._blocks[position]
            start = bisect_right(block, key) if key is not None and position == at else 0
            for name in block[start:]:
                yield name, values[name]
