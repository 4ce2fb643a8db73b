"""Lengths of time as job files write them: `20m`, `1h30m`, `90s`, or ISO 8601 (`PT20M`)."""

from __future__ import annotations

import functools
import re
from datetime import timedelta
from typing import Self

_UNITS = {"w": 604800.0, "d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|w|d|h|m|s)", re.ASCII)
_ISO = re.compile(
    r"P(?:(?P<w>\d+)W)?(?:(?P<d>\d+(?:\.\d+)?)D)?"
    r"(?:T(?:(?P<h>\d+(?:\.\d+)?)H)?(?:(?P<m>\d+(?:\.\d+)?)M)?(?:(?P<s>\d+(?:\.\d+)?)S)?)?",
    re.ASCII,
)
_DIGITS = 6  # microseconds, as timedelta has them: so that what is written as ISO reads back the same
_LONGEST = 100 * 365 * 86400.0


@functools.total_ordering
class Duration:
    """A length of time; a type of our own, since msgspec calls no hook for timedelta.

    Args:
        text: `1h30m`, `20m`, `2d`, `1.5s`, or ISO 8601 (`PT1H30M`).

    Raises:
        ValueError: it is not a length of time, or longer than a hundred years.
    """

    __slots__ = ("_seconds",)

    def __init__(self, text: str) -> None:
        self._seconds = round(_parse(text), _DIGITS)
        if self._seconds > _LONGEST:
            raise ValueError(f"{text!r} is longer than a hundred years")

    @classmethod
    def of(cls, value: timedelta | float) -> Self:
        """A duration from a timedelta or a number of seconds."""
        made = cls.__new__(cls)
        seconds = value.total_seconds() if isinstance(value, timedelta) else float(value)
        made._seconds = round(seconds, _DIGITS)  # noqa: SLF001 - our own class
        return made

    @property
    def seconds(self) -> float:
        """The whole length in seconds."""
        return self._seconds

    @property
    def timedelta(self) -> timedelta:
        """The same as a timedelta."""
        return timedelta(seconds=self._seconds)

    @property
    def iso(self) -> str:
        """The same as the Batch service takes it, such as `PT1H30M`; never the SDK's invalid `P`."""
        whole, rest = divmod(self._seconds, 60)
        minutes = int(whole)
        days, minutes = divmod(minutes, 1440)
        hours, minutes = divmod(minutes, 60)
        seconds = f"{rest:.6f}".rstrip("0").rstrip(".")
        date = f"{days}D" if days else ""
        clock = "".join(
            f"{value}{unit}"
            for value, unit in ((hours, "H"), (minutes, "M"), (seconds, "S"))
            if value not in (0, "0")
        )
        if clock:
            return f"P{date}T{clock}"
        return f"P{date}" if date else "PT0S"

    def __eq__(self, other: object) -> bool:
        return self._seconds == other._seconds if isinstance(other, Duration) else NotImplemented

    def __lt__(self, other: object) -> bool:
        return self._seconds < other._seconds if isinstance(other, Duration) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._seconds)

    def __repr__(self) -> str:
        return f"Duration({self.iso!r})"

    def __str__(self) -> str:
        return self.iso


def _parse(text: str) -> float:
    compact = text.strip()
    if compact.startswith("P") and (match := _ISO.fullmatch(compact)) and not compact.endswith(("P", "T")):
        return sum(float(value) * _UNITS[unit] for unit, value in match.groupdict().items() if value)
    parts = _PART.findall(compact)
    if not parts or "".join(number + unit for number, unit in parts) != compact:
        raise ValueError(f"{text!r} is not a length of time; write it like 20m, 1h30m, 90s or PT20M")
    return sum(float(number) * _UNITS[unit] for number, unit in parts)
