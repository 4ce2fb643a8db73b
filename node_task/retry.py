"""When a request is sent again, and after how long. Pure: no clock, no chance, no network."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import Optional

RETRIED_STATUSES = frozenset((408, 429, 500, 502, 503, 504))
"""Answers that say "not now". Any other refusal would come again in the same way."""


@dataclass(frozen=True)
class Patience:
    """How long the program tries to get its outputs up. All times in seconds.

    Attributes:
        total: For everything. It is looked at before each attempt and pause, and while a body is sent.
        silence: How long a connection may be without any progress.
        first_pause: About how long the first pause is; each further one is twice as long.
        longest_pause: Where the doubling ends. A server that asks for more (Retry-After) gets more.
    """

    total: float = 1800.0
    silence: float = 60.0
    first_pause: float = 0.5
    longest_pause: float = 30.0

    def pause(self, attempt: int, asked: Optional[float], chance: float) -> float:
        """How long to wait after an attempt that failed.

        Args:
            attempt: Which attempt failed, from 1 on.
            asked: How long the server asked to wait, if it did.
            chance: A random number in [0, 1): tasks that failed together should not come back together.

        Returns:
            Seconds: at least what the server asked for, and at least half of the step that is due.
        """
        step = min(self.longest_pause, self.first_pause * 2.0 ** min(attempt - 1, 32))
        return max(step * (1 + chance) / 2, asked or 0.0)


def retry_after(value: Optional[str], now: datetime) -> Optional[float]:
    """Reads a Retry-After header.

    Args:
        value: Its value: a number of seconds or a date.
        now: The time, aware of its zone.

    Returns:
        Seconds from now, none negative; ``None`` where the header is missing or cannot be understood.
    """
    if value is None:
        return None
    text = value.strip()
    if text.isascii() and text.isdigit():
        return float(text)
    try:
        moment = parsedate_to_datetime(text)
    except (TypeError, ValueError, IndexError, OverflowError):  # 3.8 and 3.9 raise TypeError
        return None
    if moment.tzinfo is None:  # "-0000": the time is in UTC, the place is unknown
        moment = moment.replace(tzinfo=timezone.utc)
    return max(0.0, (moment - now).total_seconds())
