"""A mapping by id whose pages come in the order of lists: by lower-cased id (recorded)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Generic, TypeVar

from orchestrator.local.batch.store.sorted_keys import SortedKeys

T = TypeVar("T")


def key_of(name: str) -> str:
    """Give the key of an id: lower-cased. One that is so already is its own: a million copies take room.

    Args:
        name: in any case.
    """
    lowered = name.lower()
    return name if lowered == name else lowered


class SortedIndex(Generic[T]):
    """Values by id; ids that differ in case only are the same."""

    __slots__ = ("_keys", "_values")

    def __init__(self) -> None:
        self._values: dict[str, T] = {}
        self._keys = SortedKeys()

    def __len__(self) -> int:
        return len(self._values)

    def __iter__(self) -> Iterator[T]:
        return (self._values[key] for key in self._keys)

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
        key = key_of(name)
        if key in self._values:
            raise ValueError(f"{name!r} is taken")
        self._values[key] = value
        self._keys.add(key)

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
        self._keys.remove(key)
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
        return ((name, values[name]) for name in self._keys.after(key))
