"""Whether this machine's clock agrees with the service's, which says its time in the head of every answer.

A request whose signature is more than a quarter of an hour off is refused (REST: Authorize with Shared Key),
and so is one whose SAS has not begun; neither refusal says whose clock is wrong.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Final

import structlog

_REFUSED_BEYOND: Final = 900.0
"""The service's own limit, in seconds."""
_log = structlog.get_logger("orchestrator.accounts")


def told_time(headers: Mapping[str, str]) -> datetime | None:
    """The time that an answer was made, to the second; None where it does not say so in the usual form.

    Args:
        headers: of the answer, looked up without case where the mapping does so.
    """
    try:
        told = parsedate_to_datetime(headers.get("Date") or headers.get("date") or "")
    except (TypeError, ValueError):
        return None
    return told.astimezone(UTC) if told.tzinfo is not None else None


def disagreement(theirs: datetime, ours: datetime, *, limit: float) -> str | None:
    """What to tell of two clocks, None while they are as close as they need be.

    Args:
        theirs: the service's time, aware.
        ours: this machine's at the same moment, aware.
        limit: seconds that they may differ.
    """
    apart = ours - theirs
    if abs(apart) <= timedelta(seconds=limit):
        return None
    where = "ahead" if apart > timedelta(0) else "behind"
    return (
        f"this machine's clock says {ours.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC and the service's "
        f"{theirs.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC, so it is {abs(apart).total_seconds():.0f} s "
        f"{where}: set it by the network's time (`timedatectl set-ntp true`)"
    )


def refused_for_the_clock(headers: Mapping[str, str], ours: datetime) -> str | None:
    """What to add to a refusal that a wrong clock may be the reason of, None where it can't be.

    Args:
        headers: of the refusal.
        ours: this machine's time at its arrival, aware.
    """
    theirs = told_time(headers)
    return disagreement(theirs, ours, limit=_REFUSED_BEYOND) if theirs is not None else None


class ClockWatch:
    """Warns of a clock that is wrong, once until it is right again.

    Args:
        limit: seconds that it may differ.
    """

    def __init__(self, limit: float) -> None:
        self._limit = limit
        self._warned = False

    def compare(self, theirs: datetime | None, ours: datetime) -> None:
        """Compare the clocks at the arrival of an answer.

        Args:
            theirs: what the answer says, None where it says nothing.
            ours: this machine's time, aware.
        """
        if theirs is None:
            return
        told = disagreement(theirs, ours, limit=self._limit)
        if told is not None and not self._warned:
            _log.warning("clock.wrong", ours=ours.isoformat(), theirs=theirs.isoformat(), told=told)
        self._warned = told is not None
