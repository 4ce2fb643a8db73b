"""What is known of each task of a run, by its number, in columns: 33 bytes, and rare things besides. Pure."""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Final

import msgspec

from orchestrator.states import FailureInfo, TaskState

_WORDS: Final = (*(state.value for state in TaskState), "rejected", "abandoned")
_CODES: Final = {word: code for code, word in enumerate(_WORDS)}
# One byte says in which state a task is, how it ended, and whether its outputs are here.
_STATE: Final = 0b0000_1111
_SUCCEEDED: Final = 0b0001_0000
_FAILED: Final = 0b0010_0000
_OUTPUTS: Final = 0b0100_0000

_NONE: Final = -(2**63)
"""In place of a number that is not known."""
_NEW: Final = bytes([_CODES["active"]])
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


class Notes(msgspec.Struct, frozen=True):
    """What few tasks have, and many of them alike."""

    failure: FailureInfo | None = None
    reason: str | None = None
    missing: tuple[tuple[str, str], ...] = ()


class TaskColumns:
    """One array for each thing that is known."""

    def __init__(self) -> None:
        self._status = bytearray()
        self._nodes = array("i")
        self._exits = array("q")
        self._starts = array("q")
        self._ends = array("q")
        self._notes = array("i")
        self._retries: dict[int, int] = {}
        # Tasks on one node name it alike, and those that fail mostly fail alike: each is kept once.
        self._node_ids: dict[str | None, int] = {None: 0}
        self._names = [*self._node_ids]
        self._noted: dict[Notes, int] = {Notes(): 0}
        self._told = [*self._noted]

    def reach(self, place: int) -> None:
        """Have a row for a task: active, until something else is told."""
        if (more := place + 1 - len(self._status)) <= 0:
            return
        self._status.extend(_NEW * more)
        for numbers in (self._nodes, self._notes):
            numbers.frombytes(bytes(numbers.itemsize * more))
        for numbers in (self._exits, self._starts, self._ends):
            numbers.extend([_NONE] * more)

    # --- what is told -------------------------------------------------------------------------------------

    def move(self, place: int, state: str, *, succeeded: bool | None) -> None:
        """A task is in another state; with `succeeded`, it has ended."""
        status = self._status[place] & ~_STATE | _CODES[state]
        if succeeded is not None:
            status = status & ~(_SUCCEEDED | _FAILED) | (_SUCCEEDED if succeeded else _FAILED)
        self._status[place] = status

    def seen(self, place: int, *, node_id: str | None, retry_count: int) -> None:
        """Where a task was seen, and how often it had run again; the last node stays known."""
        if node_id:
            number = self._node_ids.setdefault(node_id, len(self._names))
            if number == len(self._names):
                self._names.append(node_id)
            self._nodes[place] = number
        if retry_count:
            self._retries[place] = retry_count
        else:
            self._retries.pop(place, None)

    def ended(
        self, place: int, *, exit_code: int | None, started_at: datetime | None, ended_at: datetime | None
    ) -> None:
        """How a task ended."""
        self._exits[place] = _NONE if exit_code is None else exit_code
        self._starts[place] = _microseconds(started_at)
        self._ends[place] = _microseconds(ended_at)

    def brought(self, place: int) -> None:
        """All that a task left is here, or given up."""
        self._status[place] |= _OUTPUTS

    def note(self, place: int, **notes: object) -> None:
        """Note what is in `Notes`; what is not named stays as it was."""
        noted = msgspec.structs.replace(self.notes(place), **notes)
        number = self._noted.setdefault(noted, len(self._told))
        if number == len(self._told):
            self._told.append(noted)
        self._notes[place] = number

    # --- what is known ------------------------------------------------------------------------------------

    def among(self, state: str | None, start: int, limit: int) -> Iterator[int]:
        """The tasks in a state, in their order.

        Nothing may be told while the walk goes on.

        Args:
            state: `failed` and `succeeded` for how they ended; None for all.
            start: the first to look at.
            limit: the most.
        """
        if state is None:
            return iter(range(start, min(start + limit, len(self._status))))
        # Looked for in C: a million tasks none of which is meant take 3 ms, and one by one 100.
        return (found.start() for found in islice(_PATTERNS[state].finditer(self._status, start), limit))

    def state(self, place: int) -> str:
        """The service's word, or ours."""
        return _WORDS[self._status[place] & _STATE]

    def succeeded(self, place: int) -> bool | None:
        """How it ended; None before."""
        status = self._status[place]
        return bool(status & _SUCCEEDED) if status & (_SUCCEEDED | _FAILED) else None

    def outputs(self, place: int) -> bool:
        """Whether all that it left is here, or given up."""
        return bool(self._status[place] & _OUTPUTS)

    def node_id(self, place: int) -> str | None:
        """Where it was seen last."""
        return self._names[self._nodes[place]]

    def retry_count(self, place: int) -> int:
        """How often it had run again."""
        return self._retries.get(place, 0)

    def exit_code(self, place: int) -> int | None:
        """Of its command; None before its end, or if it never ran."""
        return None if (code := self._exits[place]) == _NONE else code

    def times(self, place: int) -> tuple[datetime | None, datetime | None]:
        """Its start and its end."""
        return _time(self._starts[place]), _time(self._ends[place])

    def notes(self, place: int) -> Notes:
        """What few tasks have."""
        return self._told[self._notes[place]]


def _microseconds(time: datetime | None) -> int:
    return _NONE if time is None else (time - _EPOCH) // _MICROSECOND


def _time(microseconds: int) -> datetime | None:
    return None if microseconds == _NONE else _EPOCH + timedelta(microseconds=microseconds)


def _pattern(bits: int, wanted: int) -> re.Pattern[bytes]:
    """Finds each status whose bits are these."""
    return re.compile(b"[%b]" % b"".join(b"\\x%02x" % s for s in range(256) if s & bits == wanted))


_PATTERNS: Final = {
    **{word: _pattern(_STATE, code) for word, code in _CODES.items()},
    "succeeded": _pattern(_SUCCEEDED, _SUCCEEDED),
    "failed": _pattern(_FAILED, _FAILED),
}
