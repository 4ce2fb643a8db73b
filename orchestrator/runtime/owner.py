"""The one task that owns all others, so that an orchestrator may be entered and left from any task."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import anyio
import anyio.abc
import structlog

from orchestrator.errors import NotOpenError
from orchestrator.prompt_loop import take_turns

log = structlog.get_logger()


class Owner:
    """Runs coroutines in a task group of its own task.

    A task group belongs to the task that enters it, and `async with Orchestrator` may be entered in one task
    and left in another (fixtures, frameworks). Clean-up of things that cost money also must not end because
    the caller's task was cancelled: it runs here. This is the only module that creates a task.
    """

    def __init__(self) -> None:
        self._task: asyncio.Task[None] | None = None
        self._group: anyio.abc.TaskGroup | None = None
        self._closing = asyncio.Event()

    async def open(self) -> None:
        """Start the owner's task."""
        ready = asyncio.Event()
        self._closing.clear()
        self._task = asyncio.create_task(self._own(ready), name="orchestrator.owner")
        await ready.wait()

    def start(self, work: Callable[[], Awaitable[None]], name: str) -> None:
        """Run a coroutine function in the owner's task group; what it raises is logged, and harms nobody.

        Raises:
            NotOpenError: the owner is not open.
        """
        if self._group is None:
            raise NotOpenError

        async def guarded() -> None:
            take_turns()  # whoever asks for it may be in a hurry; a run is not
            try:
                await work()
            except asyncio.CancelledError:
                raise
            except BaseException:
                # The border between tasks: one must not take the others down with it, whatever it raises.
                # What a run has to report it reports itself; what arrives here is a defect and must be seen.
                log.exception("owner.task_failed", task=name)

        self._group.start_soon(guarded, name=name)

    @staticmethod
    async def finish(work: Callable[[], Awaitable[None]]) -> None:
        """Carry something out to its end, however often the caller is cancelled meanwhile.

        Not by a shield: the second native cancellation pierces anyio's, and asyncio's fails under an anyio
        deadline. The work has to have limits of its own.

        Raises:
            CancelledError: the caller was cancelled; only after the end.
        """

        async def run() -> None:
            await work()

        task = asyncio.create_task(run(), name="orchestrator.finish")
        cancelled: asyncio.CancelledError | None = None
        while not task.done():
            try:
                await asyncio.wait({task})
            except asyncio.CancelledError as error:
                cancelled = error
        task.result()
        if cancelled is not None:
            raise cancelled

    async def close(self) -> None:
        """Cancel what still runs and end the owner's task."""
        if self._task is None:
            return
        self._closing.set()
        # Waiting like this leaves the owner alone when the caller is cancelled meanwhile; a shield would
        # not survive an anyio deadline.
        await asyncio.wait({self._task})
        self._task = None

    async def _own(self, ready: asyncio.Event) -> None:
        try:
            async with anyio.create_task_group() as group:
                self._group = group
                ready.set()
                await self._closing.wait()
                self._group = None
                group.cancel_scope.cancel()
        finally:
            self._group = None
