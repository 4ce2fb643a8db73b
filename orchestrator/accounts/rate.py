"""Keeps the requests to one account below a rate, in the order in which they come."""

from __future__ import annotations

import anyio


class RequestRate:
    """A bucket of tokens: a second's worth of requests may go at once, the others wait for their turns.

    Each caller's turn is fixed when it comes, so that nobody is overtaken. Whoever gives up waiting leaves
    its turn unused.

    Args:
        per_second: how many requests a second; 0 is without limit.

    Attributes:
        requests: how many were let go so far.
        waited: seconds that they waited for it, together.
        repeated: how many of them were tries after the first.
        put_off: how many the service put off, asking to slow down.
    """

    def __init__(self, per_second: float) -> None:
        self._interval = 1.0 / per_second if per_second > 0 else 0.0
        # What may go at once, less the request itself, as time.
        self._ahead = max(1.0 - self._interval, 0.0)
        self._next = 0.0
        self.requests = 0
        self.waited = 0.0
        self.repeated = 0
        self.put_off = 0

    def reserve(self, now: float) -> float:
        """Take the next turn.

        Args:
            now: on any clock that only goes forward, in seconds.

        Returns:
            Seconds until it comes.
        """
        if not self._interval:
            return 0.0
        turn = max(self._next, now)
        self._next = turn + self._interval
        return max(turn - self._ahead - now, 0.0)

    async def turn(self) -> float:
        """Wait for one's turn.

        Returns:
            Seconds that it took.
        """
        pause = self.reserve(anyio.current_time())
        if pause:
            await anyio.sleep(pause)
            self.waited += pause
        self.requests += 1
        return pause
