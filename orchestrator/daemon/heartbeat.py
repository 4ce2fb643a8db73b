"""The loop's heartbeat: whether it still turns, and by how much it is late."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

import anyio

_BEATS_KEPT = 240
_USUAL = 0.99


class Heartbeat:
    """Beats in the loop; who asks from outside sees when the last beat was.

    Args:
        interval: seconds between two beats.
        timeout: without a beat for so long, the loop counts as stuck.
        beaten: called at each beat, with the seconds by which it was late.
    """

    def __init__(self, *, interval: float, timeout: float, beaten: Callable[[float], None]) -> None:
        self._interval = interval
        self._timeout = timeout
        self._beaten = beaten
        self._last = time.monotonic()
        self._lags: deque[float] = deque(maxlen=_BEATS_KEPT)

    @property
    def alive(self) -> bool:
        """Whether a beat came in time."""
        return time.monotonic() - self._last < self._timeout

    @property
    def lag(self) -> float:
        """By how many seconds the latest beat was late."""
        return self._lags[-1] if self._lags else 0.0

    @property
    def worst_lag(self) -> float:
        """The same for the worst of the last few hundred."""
        return max(self._lags, default=0.0)

    @property
    def usual_lag(self) -> float:
        """The same without the worst hundredth of them."""
        lags = sorted(self._lags)
        return lags[int((len(lags) - 1) * _USUAL)] if lags else 0.0

    async def beat(self) -> None:
        """Beat for ever."""
        while True:
            before = time.monotonic()
            await anyio.sleep(self._interval)
            self._last = time.monotonic()
            self._lags.append(max(self._last - before - self._interval, 0.0))
            self._beaten(self._lags[-1])
