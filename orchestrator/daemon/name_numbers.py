"""Names by number and numbers by name, in some twenty bytes a name, where a dictionary takes 170. Pure."""

from __future__ import annotations

from array import array
from typing import Final

_LEAST: Final = 16
_FREE: Final = -1
# Of three places at least one stays free: a name is found, or known to be new, after two looks or so.
_FULL: Final = 2 / 3


class NameNumbers:
    """Gives each name a number, from 0, in the order in which they come.

    The names stand one after another in one piece of memory, and a table of numbers says by their hashes
    where to look for each. It may be made as large as it will be needed: making it larger later takes a
    second at a million names.
    """

    def __init__(self) -> None:
        self._text = bytearray()
        self._ends = array("I", [0])
        self._places = _places(_LEAST)
        self._latest = 0

    def __len__(self) -> int:
        return len(self._ends) - 1

    def expect(self, count: int) -> None:
        """Make room for so many names; only before the first one comes.

        Args:
            count: how many there will be; more may come.
        """
        if not len(self):
            self._places = _places(count)

    def find(self, name: str) -> int | None:
        """The number of a name; None if it has none."""
        return self._look(name.encode("utf-8", "surrogatepass"))[1]

    def number(self, name: str) -> int:
        """The number of a name, which gets one if it has none yet."""
        encoded = name.encode("utf-8", "surrogatepass")
        # Mostly what is told of a task follows what was told of it, or of the one before it.
        for found in (self._latest, self._latest + 1):
            if self._is(found, encoded):
                self._latest = found
                return found
        place, known = self._look(encoded)
        if known is not None:
            self._latest = known
            return known
        if len(self) >= len(self._places) * _FULL:
            self._grow()
            place, _ = self._look(encoded)
        number = self._places[place] = len(self)
        self._text += encoded
        self._ends.append(len(self._text))
        return number

    def name(self, number: int) -> str:
        """The name of that number."""
        return self._encoded(number).decode("utf-8", "surrogatepass")

    def _encoded(self, number: int) -> bytes:
        return bytes(self._text[self._ends[number] : self._ends[number + 1]])

    def _is(self, number: int, encoded: bytes) -> bool:
        ends = self._ends
        if number + 1 >= len(ends):
            return False
        start = ends[number]
        return ends[number + 1] - start == len(encoded) and self._text.startswith(encoded, start)

    def _look(self, encoded: bytes) -> tuple[int, int | None]:
        """Where a name is, or would be, in the table, and its number."""
        places, last = self._places, len(self._places) - 1
        place = hash(encoded) & last
        while (number := places[place]) != _FREE:
            if self._is(number, encoded):
                return place, number
            place = (place + 1) & last
        return place, None

    def _grow(self) -> None:
        self._places = _places(2 * len(self))
        last = len(self._places) - 1
        for number in range(len(self)):
            place = hash(self._encoded(number)) & last
            while self._places[place] != _FREE:
                place = (place + 1) & last
            self._places[place] = number


def _places(count: int) -> array[int]:
    """A table for so many names: a power of two, of which a third stays free."""
    size = _LEAST
    while size * _FULL <= count:
        size *= 2
    return array("i", [_FREE]) * size
