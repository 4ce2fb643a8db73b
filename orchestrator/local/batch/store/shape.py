"""Request bodies as data: what members there are, of what kind, with what default, echoed how.

The order of a shape's members is the order in which the service echoes them (recorded), so a table is both
the check and the layout. Numbers and booleans may come as strings: some clients send them so.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, Final

from orchestrator.local.wire.api_error import (
    invalid_property,
    missing_property,
    not_implemented,
    unsupported_property,
)
from orchestrator.local.wire.times import (
    UNLIMITED,
    format_duration,
    parse_duration,
    parse_timestamp,
    timestamp,
)

Reader = Callable[[Any, str], Any]
"""Takes a value and the name of its member, returns the value as the service echoes it."""

_ABSENT: Final = object()
_DROPPED: Final = object()
_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,64}\Z")
_LONGEST_SHOWN: Final = 200
_MOST_DURATIONS: Final = 1024


class Member:
    """One member of a body.

    Args:
        read: checks and canonicalises its value.
        required: whether it must be there.
        default: what the service fills in; must never be changed in place, for it is shared.
    """

    __slots__ = ("default", "read", "required")

    def __init__(self, read: Reader, *, required: bool = False, default: Any = _ABSENT) -> None:
        self.read = read
        self.required = required
        self.default = default


class Shape:
    """A JSON object with known members; itself a Reader.

    Args:
        members: by name, in the order of the echo.
    """

    __slots__ = ("_members", "_required")

    def __init__(self, members: Mapping[str, Member | Reader]) -> None:
        whole = {
            name: member if isinstance(member, Member) else Member(member) for name, member in members.items()
        }
        # Plain rows: every member of every task that is added passes here.
        self._members = {name: (member.read, member.default) for name, member in whole.items()}
        self._required = [name for name, member in whole.items() if member.required]

    @property
    def names(self) -> tuple[str, ...]:
        """The members in order."""
        return tuple(self._members)

    def __call__(self, value: Any, name: str) -> dict[str, Any]:
        """Check an object.

        Args:
            value: as decoded.
            name: of the member that holds it; empty for a whole body.

        Returns:
            A new object in the order of the echo, defaults filled in. Members that are null are absent.

        Raises:
            ApiError: for what is wrong, naming the member.
        """
        if not isinstance(value, dict):
            raise invalid_property(name, shown(value), "An object is expected")
        members = self._members
        if not value.keys() <= members.keys():
            raise unsupported_property(next(given for given in value if given not in members))
        for required in self._required:
            if value.get(required) is None:
                raise missing_property(required)
        result: dict[str, Any] = {}
        for one, (read, default) in members.items():
            given = value.get(one)
            if given is not None:
                echo = read(given, one)
                if echo is not _DROPPED:
                    result[one] = echo
            elif default is not _ABSENT:
                result[one] = default
        return result


def shown(value: Any) -> str:
    """Show a value in an error.

    Args:
        value: anything decoded.

    Returns:
        Its text, cut when long.
    """
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= _LONGEST_SHOWN else text[:_LONGEST_SHOWN] + "…"


def identifier(value: Any, name: str) -> str:
    """Read an id: 1 to 64 letters, digits, hyphens, underscores."""
    if not isinstance(value, str) or not _ID.match(value):
        reason = "An id has 1 to 64 characters: letters, digits, hyphens and underscores"
        raise invalid_property(name, shown(value), reason)
    return value


def text(longest: int | None = None, *, empty: bool = True) -> Reader:
    """Read a string.

    Args:
        longest: in characters.
        empty: whether it may be empty.
    """

    def read(value: Any, name: str) -> str:
        if not isinstance(value, str):
            raise invalid_property(name, shown(value), "A string is expected")
        if longest is not None and len(value) > longest:
            raise invalid_property(name, shown(value), f"It may not be longer than {longest} characters")
        if not empty and not value:
            raise invalid_property(name, value, "It may not be empty")
        return value

    return read


def whole(lowest: int, highest: int = 2**31 - 1) -> Reader:
    """Read a whole number.

    Args:
        lowest: allowed.
        highest: allowed.
    """

    def read(value: Any, name: str) -> int:
        number = value
        if isinstance(number, str):
            try:
                number = int(number)
            except ValueError:
                number = None
        if not isinstance(number, int) or isinstance(number, bool):
            raise invalid_property(name, shown(value), "A whole number is expected")
        if not lowest <= number <= highest:
            raise invalid_property(name, shown(value), f"It must be from {lowest} to {highest}")
        return number

    return read


def flag(value: Any, name: str) -> bool:
    """Read a boolean."""
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in ("true", "false"):
        return value.lower() == "true"
    raise invalid_property(name, shown(value), "A boolean is expected")


def choice(*canonical: str) -> Reader:
    """Read one of some words, in any case.

    Args:
        canonical: as the service echoes them.
    """
    by_lower = {word.lower(): word for word in canonical}

    def read(value: Any, name: str) -> str:
        found = by_lower.get(value.lower()) if isinstance(value, str) else None
        if found is None:
            raise invalid_property(name, shown(value), f"It must be one of {', '.join(canonical)}")
        return found

    return read


def span(lowest: int = 0, highest: int = UNLIMITED) -> Reader:
    """Read a duration, echoed in the service's own form.

    Args:
        lowest: in ticks.
        highest: in ticks.
    """

    def read(value: Any, name: str) -> str:
        try:
            ticks, echo = _duration(value)
        except (TypeError, ValueError):
            raise invalid_property(name, shown(value), "An ISO 8601 duration is expected") from None
        if not lowest <= ticks <= highest:
            reason = f"It must be from {format_duration(lowest)} to {format_duration(highest)}"
            raise invalid_property(name, shown(value), reason)
        return echo

    return read


@lru_cache(_MOST_DURATIONS)
def _duration(text: str) -> tuple[int, str]:
    # Many tasks, few durations.
    ticks = parse_duration(text)
    return ticks, format_duration(ticks)


def instant(value: Any, name: str) -> str:
    """Read a date and time."""
    try:
        return timestamp(parse_timestamp(value))
    except (TypeError, ValueError):
        raise invalid_property(name, shown(value), "A date and time is expected") from None


def items(read_one: Reader, most: int | None = None) -> Reader:
    """Read a list.

    Args:
        read_one: each element.
        most: elements allowed.
    """

    def read(value: Any, name: str) -> list[Any]:
        if not isinstance(value, list):
            raise invalid_property(name, shown(value), "A list is expected")
        if most is not None and len(value) > most:
            raise invalid_property(name, str(len(value)), f"It may not have more than {most} elements")
        return [read_one(one, name) for one in value]

    return read


def refused(what: str) -> Reader:
    """Refuse a member by name: obeying it is not possible here, ignoring it would be a lie.

    An empty list asks for nothing, and is not echoed (recorded for updateproperties).

    Args:
        what: for the message.
    """

    def read(value: Any, name: str) -> Any:
        if value == []:
            return _DROPPED
        raise not_implemented(f"{name} ({what})")

    return read


def unread(value: Any, _name: str) -> Any:
    """Leave a member to whoever reads it afterwards."""
    return value


def opaque(value: Any, _name: str) -> Any:
    """Echo a member that means nothing to a process on this machine."""
    return _without_nulls(value)


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_nulls(one) for name, one in value.items() if one is not None}
    if isinstance(value, list):
        return [_without_nulls(one) for one in value]
    return value
