"""The types of the language, and how their values are written in `results`.

Source of facts: the autoscale page (types, the constants of timeinterval, the members of timestamp, an
example of `results` with a timestamp). Published answers of the real service write 29 of 30 samples as
`96.6667`, which is six significant digits. The form of a timeinterval is a guess; so is a year of 365
days.

A double is a finite float: what would be infinite or no number is an error where it arises, so that it
can't turn into a number of nodes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from orchestrator.local.batch.autoscale.errors import CannotEvaluateError
from orchestrator.local.wire.times import TICKS_PER_SECOND, format_duration, timestamp

_MINUTE: Final = 60 * TICKS_PER_SECOND
_DAY: Final = 24 * 60 * _MINUTE
_MILLISECOND: Final = TICKS_PER_SECOND // 1000
_LAST_TICK: Final = 3_652_059 * _DAY - 1
"""The end of the year 9999, as in .NET."""

_LONGEST_INTERVAL: Final = 2**63 - 1
_LONGEST_VECTOR: Final = 10_000
"""Keeps a formula from doubling a vector until memory is gone: three days of samples. The service's own
limit is not documented."""


@dataclass(frozen=True, slots=True, order=True)
class Timestamp:
    """An instant in ticks of 100 ns since the year 1."""

    ticks: int


@dataclass(frozen=True, slots=True, order=True)
class Interval:
    """A timeinterval in ticks of 100 ns; it may be negative."""

    ticks: int


Vector = tuple[float, ...]
Value = float | Vector | str | Timestamp | Interval

INTERVALS: Final = {
    "TimeInterval_Zero": Interval(0),
    "TimeInterval_100ns": Interval(1),
    "TimeInterval_Microsecond": Interval(10),
    "TimeInterval_Millisecond": Interval(_MILLISECOND),
    "TimeInterval_Second": Interval(TICKS_PER_SECOND),
    "TimeInterval_Minute": Interval(_MINUTE),
    "TimeInterval_Hour": Interval(60 * _MINUTE),
    "TimeInterval_Day": Interval(_DAY),
    "TimeInterval_Week": Interval(7 * _DAY),
    "TimeInterval_Year": Interval(365 * _DAY),
}


def double(number: float) -> float:
    """Make a double of a computed number.

    Args:
        number: any float.

    Returns:
        The same.

    Raises:
        CannotEvaluateError: it is infinite or no number.
    """
    if not math.isfinite(number):
        raise CannotEvaluateError("The result is not a finite number")
    return number


def vector(numbers: list[float]) -> Vector:
    """Make a doubleVec of computed numbers.

    Args:
        numbers: any floats.

    Returns:
        The same.

    Raises:
        CannotEvaluateError: one is infinite or no number, or they are too many.
    """
    if len(numbers) > _LONGEST_VECTOR:
        raise CannotEvaluateError(f"The vector has more than {_LONGEST_VECTOR} elements")
    return tuple(double(number) for number in numbers)


def interval(ticks: float) -> Interval:
    """Make a timeinterval.

    Args:
        ticks: any finite number; it is rounded.

    Returns:
        The timeinterval.

    Raises:
        CannotEvaluateError: it is longer than a .NET TimeSpan can be.
    """
    if not math.isfinite(ticks) or abs(ticks) > _LONGEST_INTERVAL:
        raise CannotEvaluateError("The time interval is too long")
    return Interval(round(ticks))


def instant(ticks: int) -> Timestamp:
    """Make a timestamp.

    Args:
        ticks: any number.

    Returns:
        The timestamp.

    Raises:
        CannotEvaluateError: it is not in the years 1 to 9999.
    """
    if not 0 <= ticks <= _LAST_TICK:
        raise CannotEvaluateError("The timestamp is outside the years 1 to 9999")
    return Timestamp(ticks)


def type_name(value: Value) -> str:
    """Name the type as the autoscale page does.

    Args:
        value: any.

    Returns:
        For example `doubleVec`.
    """
    if isinstance(value, float):
        return "double"
    if isinstance(value, str):
        return "string"
    if isinstance(value, Timestamp):
        return "timestamp"
    return "timeinterval" if isinstance(value, Interval) else "doubleVec"


def render(value: Value) -> str:
    """Write a value for `results`.

    Args:
        value: any.

    Returns:
        For example `96.6667`, `[1,2]`, `2016-10-13T19:18:47.805Z`.
    """
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, str):
        return value
    if isinstance(value, Timestamp):
        seconds, rest = divmod(value.ticks, TICKS_PER_SECOND)
        return f"{timestamp(seconds * TICKS_PER_SECOND)[:-1]}.{rest // _MILLISECOND:03}Z"
    if isinstance(value, Interval):
        return ("-" if value.ticks < 0 else "") + format_duration(abs(value.ticks))
    return f"[{','.join(render(number) for number in value)}]"
