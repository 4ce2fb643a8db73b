"""The memory that all transfers of an account share: who takes of it waits while too little is free."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import anyio


class TransferBudget:
    """Bytes that may be in memory at once, given out in the order of asking.

    Nobody takes more while holding some, so nobody waits for himself; a small transfer waits behind a large
    one, or a large one might wait for ever.

    Args:
        size: in bytes; more than that is never taken at once.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._free = size
        self._waiting: deque[tuple[int, anyio.Event]] = deque()

    @property
    def free(self) -> int:
        """How much nobody has taken."""
        return self._free

    @property
    def waiting(self) -> int:
        """How many wait for what they asked for."""
        return len(self._waiting)

    async def take(self, wanted: int) -> int:
        """Wait until so much is free, and take it.

        Args:
            wanted: in bytes; what exceeds the whole budget is granted as the whole budget.

        Returns:
            What was taken: to be given back.
        """
        size = min(wanted, self._size)
        if not self._waiting and size <= self._free:
            self._free -= size
            return size
        granted = anyio.Event()
        self._waiting.append((size, granted))
        try:
            await granted.wait()
        except BaseException:
            if granted.is_set():
                self.give_back(size)
            else:
                self._waiting.remove((size, granted))
                self.give_back(0)
            raise
        return size

    def give_back(self, size: int) -> None:
        """Give back what was taken, or a part of it.

        Args:
            size: in bytes.
        """
        self._free += size
        while self._waiting and self._waiting[0][0] <= self._free:
            granted_size, granted = self._waiting.popleft()
            self._free -= granted_size
            granted.set()

    @asynccontextmanager
    async def held(self, wanted: int) -> AsyncGenerator[int]:
        """Hold so much for the time of a block.

        Args:
            wanted: in bytes.

        Yields:
            The same number.
        """
        taken = await self.take(wanted)
        try:
            yield wanted
        finally:
            self.give_back(taken)
