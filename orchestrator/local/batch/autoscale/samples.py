"""What was sampled: a bounded history for each variable.

Source of facts: the autoscale page: samples are taken every 30 seconds and reach formulas after about a
minute; a percentage compares the samples there are with those there could be.

Here a value is recorded when it changes, and the samples are read off a grid of one period that begins
with the pool: the sample of a grid point is the value last recorded at or before it. No sample is lost,
so a percentage is below 100 only for the time before the first record, for the future and for what is
still under way (`delay`).
"""

from __future__ import annotations

from bisect import bisect_right
from datetime import datetime, timedelta
from typing import Final

from orchestrator.local.batch.autoscale.values import Vector
from orchestrator.local.batch.autoscale.variables import SAMPLED
from orchestrator.local.wire.times import TICKS_PER_SECOND, to_ticks

PERIOD: Final = timedelta(seconds=30)
KEPT: Final = timedelta(days=1)
"""How far back formulas can look; the service's own limit is not documented."""


class SampleHistory:
    """The samples of one variable, in ticks.

    It holds at most one entry for each grid point of the time kept, however often the value changes.

    Args:
        begin: first grid point.
        period: between grid points.
        kept: grid points that formulas can look back at.
        delay: until a sample can be read.
    """

    def __init__(self, begin: int, *, period: int, kept: int, delay: int = 0) -> None:
        self._begin = begin
        self._period = period
        self._kept = kept
        self._delay = delay
        self._first = -1
        self._points: list[int] = []
        self._values: list[float] = []

    @property
    def period(self) -> int:
        """The time between samples, in ticks."""
        return self._period

    def record(self, at: int, value: float) -> None:
        """Take note of a value.

        Args:
            at: since when; a time before the last record counts as that record's.
            value: from then on.
        """
        point = max(0, -((self._begin - at) // self._period))  # the first grid point that sees it
        if not self._points:
            self._first = point
        elif point <= self._points[-1]:
            self._values[-1] = value
            return
        elif value == self._values[-1]:
            return
        self._points.append(point)
        self._values.append(value)
        # What is still under way looks back further.
        oldest = point - self._kept + -self._delay // self._period
        forgotten = bisect_right(self._points, oldest) - 1
        if forgotten > 0:
            del self._points[:forgotten]
            del self._values[:forgotten]

    def count(self, now: int) -> int:
        """Count the samples that can be read.

        Args:
            now: present instant.

        Returns:
            Their number.
        """
        return len(self._readable(now))

    def begin_time(self, now: int) -> int:
        """Tell the instant of the oldest sample that can be read.

        Args:
            now: present instant.

        Returns:
            The instant; the first grid point when there is no sample.
        """
        readable = self._readable(now)
        return self._begin + (readable[0] * self._period if readable else 0)

    def latest(self, count: int, now: int) -> Vector:
        """Read the last samples.

        Args:
            count: how many.
            now: present instant.

        Returns:
            The samples, newest first; fewer when there are fewer.
        """
        readable = self._readable(now)
        return self._at(readable[max(0, len(readable) - count) :])

    def between(self, start: int, end: int, now: int) -> Vector:
        """Read the samples of a time.

        Args:
            start: the samples after it; the two may be exchanged.
            end: the samples up to it.
            now: present instant.

        Returns:
            The samples, newest first.
        """
        return self._at(_common(self._readable(now), self._grid(start, end)))

    def percent(self, start: int, end: int, now: int) -> float:
        """Compare the samples there are with those there could be.

        Args:
            start: as of `between`.
            end: as of `between`.
            now: present instant.

        Returns:
            Percent; 0 for a time without any grid point.
        """
        possible = self._grid(start, end)
        return 100 * len(_common(self._readable(now), possible)) / len(possible) if possible else 0.0

    def _readable(self, now: int) -> range:
        if not self._points:
            return range(0)
        last = (now - self._delay - self._begin) // self._period
        return range(max(self._first, self._points[0], last - self._kept + 1), last + 1)

    def _grid(self, start: int, end: int) -> range:
        start, end = min(start, end), max(start, end)
        return range(
            (start - self._begin) // self._period + 1,
            (end - self._begin) // self._period + 1,
        )

    def _at(self, points: range) -> Vector:
        return tuple(self._values[bisect_right(self._points, point) - 1] for point in reversed(points))


class Metrics:
    """The histories of a pool's variables.

    Args:
        begin: when the pool was created; the first grid point.
        period: between samples; more than zero.
        kept: how far back formulas can look.
        delay: until a sample can be read; about a minute on the real service, none here unless asked for.
    """

    def __init__(
        self,
        begin: datetime,
        *,
        period: timedelta = PERIOD,
        kept: timedelta = KEPT,
        delay: timedelta = timedelta(0),
    ) -> None:
        self._begin = to_ticks(begin)
        self._period = _ticks(period)
        self._kept = max(1, _ticks(kept) // self._period)
        self._delay = _ticks(delay)
        self._histories: dict[str, SampleHistory] = {}

    def record(self, name: str, at: datetime, value: float) -> None:
        """Take note that a variable has a value.

        Args:
            name: one of `SAMPLED`, with its dollar sign.
            at: since when.
            value: from then on.

        Raises:
            ValueError: the name is not one of them.
        """
        history = self._histories.get(name)
        if history is None:
            if name not in SAMPLED:
                raise ValueError(f"{name} is not a variable that is sampled")
            history = SampleHistory(self._begin, period=self._period, kept=self._kept, delay=self._delay)
            self._histories[name] = history
        history.record(to_ticks(at), float(value))

    def history(self, name: str) -> SampleHistory | None:
        """Find a variable's samples.

        Args:
            name: with its dollar sign.

        Returns:
            Its history, or None when nothing was recorded.
        """
        return self._histories.get(name)


def _common(left: range, right: range) -> range:
    return range(max(left.start, right.start), min(left.stop, right.stop))


def _ticks(duration: timedelta) -> int:
    return duration // timedelta(microseconds=1) * (TICKS_PER_SECOND // 1_000_000)
