"""Which runs of this program need which pool, so that the last one deletes it and no earlier one does."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import anyio


class SharedPools:
    """Runs that use one pool at the same time, in the order in which they came to it.

    Who wants a pool waits while somebody decides about it, so that no run takes one that is about to go.
    """

    def __init__(self) -> None:
        self._users: defaultdict[str, dict[str, None]] = defaultdict(dict)
        self._locks: defaultdict[str, anyio.Lock] = defaultdict(anyio.Lock)

    async def join(self, pool_id: str, run_id: str) -> None:
        """A run is about to look for a pool, and needs it until it leaves.

        Args:
            pool_id: of the pool; the service compares ids without case.
            run_id: of the run.
        """
        async with self._locks[pool_id.lower()]:
            self._users[pool_id.lower()][run_id] = None

    async def leave(self, pool_id: str, run_id: str) -> None:
        """A run needs a pool no more; what was being handed over to it is its own once this returns."""
        async with self._locks[pool_id.lower()]:
            self.forget(pool_id, run_id)

    def forget(self, pool_id: str, run_id: str) -> None:
        """The same for a run that is over, whatever became of it."""
        name = pool_id.lower()
        self._users[name].pop(run_id, None)
        if not self._users[name]:
            del self._users[name]
            # Somebody may wait for the lock: it goes with the last one.
            if name in self._locks and not self._locks[name].locked():
                del self._locks[name]

    @asynccontextmanager
    async def deciding(self, pool_id: str) -> AsyncGenerator[str | None]:
        """Decide about a pool; nobody comes to it or leaves it meanwhile.

        Yields:
            A run that needs it; None if there is none.
        """
        async with self._locks[pool_id.lower()]:
            yield next(iter(self._users.get(pool_id.lower(), ())), None)
