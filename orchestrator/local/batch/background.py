"""Work that outlives the request that began it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVarTuple

import anyio
import structlog
from anyio.abc import TaskGroup

Ts = TypeVarTuple("Ts")

log = structlog.get_logger("orchestrator.local.batch")


class Background:
    """A task group in a task of its own, so that it may be opened and closed from different tasks."""

    def __init__(self) -> None:
        self._owner: asyncio.Task[None] | None = None
        self._group: TaskGroup | None = None

    async def start(self) -> None:
        """Begin to take work."""
        ready = asyncio.Event()
        # The one create_task of the endpoint: a task group entered in the caller's task could be left in that
        # task only, and callers may start in a fixture's task and close in another.
        self._owner = asyncio.create_task(self._own(ready), name="batch-background")
        await ready.wait()

    async def _own(self, ready: asyncio.Event) -> None:
        async with anyio.create_task_group() as group:
            self._group = group
            ready.set()
            await anyio.sleep_forever()

    def spawn(self, work: Callable[[*Ts], Awaitable[None]], *arguments: *Ts) -> None:
        """Do something on the side. After close nothing is taken on any more.

        Args:
            work: a coroutine function; what it raises is logged and goes no further.
            arguments: for it.
        """
        if self._group is not None:
            self._group.start_soon(self._guarded, work, arguments)

    async def close(self) -> None:
        """Cancel everything and wait until it is over."""
        owner, self._owner, self._group = self._owner, None, None
        if owner is None:
            return
        owner.cancel()
        await asyncio.wait({owner})

    @staticmethod
    async def _guarded(work: Callable[[*Ts], Awaitable[None]], arguments: tuple[*Ts]) -> None:
        try:
            await work(*arguments)
        except Exception:  # the border: one broken flow must not take the others down
            log.exception("batch.background.broken", work=getattr(work, "__qualname__", repr(work)))
