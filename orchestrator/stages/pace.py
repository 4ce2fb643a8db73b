"""How many requests may be in flight: doubles at first, grows by one later, shrinks by half."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import anyio

_START = 8
_SLOW = 3.0
_EASE = 0.8
_FORGET = 0.01


class Pace:
    """Decides, from what the answers tell, how many requests should be in flight: pure.

    At first each answer in good time adds one, which doubles the number each round; from the first sign that
    it is enough, a full round of them adds one. An answer that was put off (429, 503) halves the number, once
    for all the requests that were in flight when it was halved: they tell of the same crowd. An answer that
    takes three times as long as the quickest lately means that requests queue up somewhere, where more of
    them only wait longer.

    Args:
        most: never more than this at once.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._limit = float(min(_START, most))
        self._quickest: float | None = None
        self._sent = 0
        self._answered_since = 0
        self._starting = True

    @property
    def limit(self) -> int:
        """How many requests may be in flight now: 1 at least."""
        return int(self._limit)

    def sent(self) -> int:
        """A request goes out; returns its number, to be given back with its answer."""
        self._sent += 1
        return self._sent

    def answered(self, number: int, delay: float, *, put_off: bool) -> None:
        """An answer came.

        Args:
            number: what `sent` returned for its request.
            delay: seconds from the request to the answer; of an answer that was put off it does not count.
            put_off: whether the service asked to slow down on the way.
        """
        if put_off:
            self._slow_down(number, 0.5)
            return
        if self._quickest is None or delay < self._quickest:
            self._quickest = delay
        else:
            # What was quick an hour ago may never come back: the best drifts up until it is met again.
            self._quickest += (delay - self._quickest) * _FORGET
        if delay > _SLOW * self._quickest and self._limit > _START:
            self._slow_down(number, _EASE)
        else:
            more = 1.0 if self._starting else 1 / self._limit
            self._limit = min(self._limit + more, float(self._most))

    def _slow_down(self, number: int, factor: float) -> None:
        self._starting = False
        if number <= self._answered_since:
            return
        self._limit = max(1.0, self._limit * factor)
        self._answered_since = self._sent


class Gate:
    """Lets requests through as its pace says.

    Args:
        pace: decides how many.
    """

    def __init__(self, pace: Pace) -> None:
        self.pace = pace
        self._in_flight = 0
        self._changed = anyio.Condition()

    @asynccontextmanager
    async def request(self) -> AsyncGenerator[int]:
        """Wait until one more request may be in flight; gives its number for `Pace.answered`."""
        async with self._changed:
            while self._in_flight >= self.pace.limit:
                await self._changed.wait()
            self._in_flight += 1
        try:
            yield self.pace.sent()
        finally:
            self._in_flight -= 1
            with anyio.CancelScope(shield=True):
                async with self._changed:
                    self._changed.notify_all()
