"""Looks at tasks and pools, of all runs together: each in its turn, and not many under way at once."""

from __future__ import annotations

import anyio

from orchestrator.accounts.rate import RequestRate
from orchestrator.limits import Limits


class Looks:
    """Keeps the looks of many runs from taking all of the loop's time, and the service's.

    What a run does only once waits for none of it.

    Args:
        limits: `looks` and `looks_per_second`.

    Attributes:
        slots: one is taken for each request of a look, and given back before its answer is told of.
    """

    def __init__(self, limits: Limits) -> None:
        self._rate = RequestRate(limits.looks_per_second)
        self.slots = anyio.Semaphore(limits.looks)

    @property
    def waited(self) -> float:
        """Seconds that looks waited for their turns, together."""
        return self._rate.waited

    async def turn(self) -> None:
        """Wait until it is one's turn to look; call it before the clock of the look starts."""
        await self._rate.turn()
