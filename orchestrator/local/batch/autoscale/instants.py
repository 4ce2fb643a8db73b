"""Timestamps: read from a string, and taken apart.

Source of facts: the autoscale page: `time` reads W3C-DTF and RFC 1123; the members of a timestamp, with
1 for Monday. That Sunday is 7 is from the weekend formulas of Azure/batch-shipyard. Digits past the
seventh of a second fail (nextflow-io/nextflow#3866: nanoseconds could not be read, microseconds could).
A time without a zone is UTC.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Final

from orchestrator.local.batch.autoscale.errors import CannotEvaluateError, undefined
from orchestrator.local.batch.autoscale.values import Timestamp, instant
from orchestrator.local.wire.times import TICKS_PER_SECOND, to_datetime, to_ticks

_W3C: Final = re.compile(
    r"(?P<year>\d{4})(?:-(?P<month>\d\d)(?:-(?P<day>\d\d)"
    r"(?:T(?P<hour>\d\d):(?P<minute>\d\d)(?::(?P<second>\d\d)(?:\.(?P<fraction>\d{1,7}))?)?"
    r"(?P<zone>Z|[+-]\d\d:\d\d)?)?)?)?",
    re.ASCII,
)
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_RFC_1123: Final = re.compile(
    r"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), (?P<day>\d\d) (?P<month>" + "|".join(_MONTHS) + r") (?P<year>\d{4}) "
    r"(?P<hour>\d\d):(?P<minute>\d\d):(?P<second>\d\d) GMT",
    re.ASCII,
)


def parse_instant(text: str) -> Timestamp:
    """Read a date and time.

    Args:
        text: W3C-DTF (`2023`, `2023-04`, `2023-04-14`, `2023-04-14T12:30Z` …) or RFC 1123.

    Returns:
        The timestamp.

    Raises:
        CannotEvaluateError: it is neither.
    """
    match = _W3C.fullmatch(text) or _RFC_1123.fullmatch(text)
    if match is None:
        raise CannotEvaluateError(f'"{text}" is no date and time in W3C-DTF or RFC 1123')
    part = match.groupdict()
    month = part["month"] or "1"
    try:
        whole = datetime(
            int(part["year"]),
            _MONTHS.index(month) + 1 if month in _MONTHS else int(month),
            int(part["day"] or 1),
            int(part["hour"] or 0),
            int(part["minute"] or 0),
            int(part["second"] or 0),
            tzinfo=UTC,
        )
    except ValueError:
        raise CannotEvaluateError(f'"{text}" is no date and time that exists') from None
    fraction = int((part.get("fraction") or "0").ljust(7, "0"))
    return instant(to_ticks(whole) + fraction - _offset(part.get("zone")))


def member(at: Timestamp, name: str) -> float:
    """Take one part of a timestamp, in UTC.

    Args:
        at: the timestamp.
        name: of the member.

    Returns:
        Its number.

    Raises:
        CannotEvaluateError: there is no such member.
    """
    moment = to_datetime(at.ticks)
    if name == "weekday":
        return float(moment.isoweekday())
    if name in ("year", "month", "day", "hour", "minute", "second"):
        return float(getattr(moment, name))
    raise undefined(name)


def _offset(zone: str | None) -> int:
    if zone is None or zone == "Z":
        return 0
    minutes = int(zone[1:3]) * 60 + int(zone[4:])
    return (-1 if zone.startswith("-") else 1) * minutes * 60 * TICKS_PER_SECOND
