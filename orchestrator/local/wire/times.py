"""Instants and durations as the Batch wire writes them.

An instant is kept as a .NET tick count (100 ns since 0001-01-01), because that is what an ETag is made of
and what filters compare. A duration is a number of ticks too.
"""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime, parsedate_to_datetime
from functools import lru_cache

TICKS_PER_SECOND = 10_000_000
UNLIMITED = 2**63 - 1
"""The longest .NET TimeSpan, which the service writes where there is no limit."""

UNLIMITED_TEXT = "P10675199DT2H48M5.4775807S"

_UNIX_EPOCH = 621_355_968_000_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TICKS_PER_DAY = 86_400 * TICKS_PER_SECOND
_DAYS_PER_YEAR = 365
_DAYS_PER_MONTH = 30
_SECONDS_KEPT = 4096

_INSTANT = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?(Z|[+-]\d\d:\d\d)?\Z", re.IGNORECASE
)
_DURATION = re.compile(
    r"P(?:(\d+)Y)?(?:(\d+)M)?(?:(\d+)W)?(?:(\d+)D)?"
    r"(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)(?:\.(\d+))?S)?)?\Z"
)


def now() -> int:
    """Read the clock.

    Returns:
        The present instant in ticks.
    """
    return _UNIX_EPOCH + time.time_ns() // 100


def to_ticks(instant: datetime) -> int:
    """Convert an aware datetime.

    Args:
        instant: any aware datetime; its microseconds are kept.

    Returns:
        The same instant in ticks.
    """
    elapsed = instant - _EPOCH
    return (
        _UNIX_EPOCH + (elapsed.days * 86_400 + elapsed.seconds) * TICKS_PER_SECOND + elapsed.microseconds * 10
    )


def to_datetime(ticks: int) -> datetime:
    """Convert ticks, cutting what is finer than a microsecond.

    Args:
        ticks: an instant.

    Returns:
        An aware UTC datetime.
    """
    return _EPOCH + timedelta(microseconds=(ticks - _UNIX_EPOCH) // 10)


def timestamp(ticks: int) -> str:
    """Write an instant: up to seven digits, trailing zeros removed, `Z` (recorded).

    Args:
        ticks: an instant.

    Returns:
        For example `2023-09-07T06:26:55.6167653Z`.
    """
    seconds, fraction = divmod(ticks - _UNIX_EPOCH, TICKS_PER_SECOND)
    whole = _whole_second(seconds)
    return f"{whole}.{fraction:07}".rstrip("0") + "Z" if fraction else whole + "Z"


# A page of a thousand tasks has six thousand instants, in a few seconds.
@lru_cache(_SECONDS_KEPT)
def _whole_second(seconds: int) -> str:
    parts = time.gmtime(seconds)
    return (
        f"{parts.tm_year:04}-{parts.tm_mon:02}-{parts.tm_mday:02}"
        f"T{parts.tm_hour:02}:{parts.tm_min:02}:{parts.tm_sec:02}"
    )


def full_timestamp(ticks: int) -> str:
    """Write an instant with all seven digits, as the text of an error does (recorded).

    Args:
        ticks: an instant.

    Returns:
        For example `2023-09-06T07:43:48.6334960Z`.
    """
    seconds, fraction = divmod(ticks, TICKS_PER_SECOND)
    return f"{timestamp(seconds * TICKS_PER_SECOND)[:-1]}.{fraction:07}Z"


def parse_timestamp(text: str) -> int:
    """Read an instant to the tick.

    Args:
        text: ISO 8601 with `Z`, an offset or none (then UTC); seconds may be missing.

    Returns:
        The instant in ticks.

    Raises:
        ValueError: when it is not an instant.
    """
    match = _INSTANT.match(text)
    if match is None:
        raise ValueError(f"{text!r} is not a date and time")
    year, month, day, hour, minute, second, fraction, zone = match.groups()
    whole = datetime(int(year), int(month), int(day), int(hour), int(minute), int(second or 0), tzinfo=UTC)
    ticks = to_ticks(whole) + int((fraction or "0").ljust(7, "0")[:7])
    if zone and zone not in ("Z", "z"):
        sign = -1 if zone[0] == "-" else 1
        ticks -= sign * (int(zone[1:3]) * 60 + int(zone[4:6])) * 60 * TICKS_PER_SECOND
    return ticks


def etag(ticks: int) -> str:
    """Make the ETag of something last modified then: its tick count in hex, without quotes (recorded).

    Args:
        ticks: an instant.

    Returns:
        For example `0x8DBAF6B6EABBDE5`.
    """
    return f"0x{ticks:X}"


def http_date(ticks: int) -> str:
    """Write an instant for a header, floored to the second.

    Args:
        ticks: an instant.

    Returns:
        For example `Thu, 07 Sep 2023 06:26:55 GMT`.
    """
    return format_datetime(to_datetime(ticks), usegmt=True)


def parse_http_date(text: str) -> int:
    """Read the date of a header.

    Args:
        text: RFC 1123.

    Returns:
        The instant in ticks.

    Raises:
        ValueError: when it is not a date.
    """
    moment = parsedate_to_datetime(text)
    return to_ticks(moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC))


def parse_duration(text: str) -> int:
    """Read an ISO 8601 duration as the service does: a year is 365 days, a month 30 (recorded).

    A bare `P`, which the Python SDK writes for zero, is zero; what is longer than the longest .NET TimeSpan
    (`timedelta.max`) is unlimited.

    Args:
        text: for example `PT01H00M01.5S`.

    Returns:
        Ticks, at most UNLIMITED.

    Raises:
        ValueError: when it is not a duration.
    """
    match = _DURATION.match(text)
    if match is None or text.endswith("T"):
        raise ValueError(f"{text!r} is not a duration")
    years, months, weeks, days, hours, minutes, seconds = (int(part or 0) for part in match.groups()[:7])
    whole_days = years * _DAYS_PER_YEAR + months * _DAYS_PER_MONTH + weeks * 7 + days
    whole = whole_days * _TICKS_PER_DAY + (hours * 3600 + minutes * 60 + seconds) * TICKS_PER_SECOND
    return min(whole + int((match.group(8) or "0").ljust(7, "0")[:7]), UNLIMITED)


def format_duration(ticks: int) -> str:
    """Write a duration in the service's own form (recorded).

    Args:
        ticks: zero or more.

    Returns:
        For example `PT15M`, `P7D`, `P1279DT12H30M5S`; `PT0S` for zero.
    """
    days, rest = divmod(ticks, _TICKS_PER_DAY)
    seconds, fraction = divmod(rest, TICKS_PER_SECOND)
    hours, seconds = divmod(seconds, 3600)
    minutes, seconds = divmod(seconds, 60)
    clock = (f"{hours}H" if hours else "") + (f"{minutes}M" if minutes else "")
    if fraction:
        clock += f"{seconds}.{fraction:07}".rstrip("0") + "S"
    elif seconds:
        clock += f"{seconds}S"
    if not days and not clock:
        return "PT0S"
    return "P" + (f"{days}D" if days else "") + (f"T{clock}" if clock else "")


def seconds_of(duration: str) -> float | None:
    """Turn a duration of the wire into a limit.

    Args:
        duration: in the service's own form.

    Returns:
        Seconds, or None when it is unlimited.
    """
    ticks = parse_duration(duration)
    return None if ticks == UNLIMITED else ticks / TICKS_PER_SECOND
