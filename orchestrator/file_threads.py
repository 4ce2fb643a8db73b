"""Threads for files: a change of thread costs a quarter of what the general way costs.

`anyio.to_thread` counts who is under way, carries contexts over and yields to the loop besides, 80 us of CPU
where 20 do (measured): as much as everything else that is done here for a small file.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar, TypeVarTuple

import anyio

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


class FileThreads:
    """A few threads of our own: work that others give to their threads never stands before ours.

    Args:
        count: the most of them; each is started when it is needed.
    """

    def __init__(self, count: int) -> None:
        self._count = count
        self._executor: ThreadPoolExecutor | None = None

    async def run(self, work: Callable[[*Ts], T], *arguments: *Ts) -> T:
        """Call a function in a thread.

        A caller who is cancelled still waits for a call that has begun, or he would close files under it.

        Args:
            work: blocks.
            arguments: of it.

        Returns:
            What it returned.
        """
        if self._executor is None:
            self._executor = ThreadPoolExecutor(self._count, thread_name_prefix="orchestrator-files")
        called: Future[T] = self._executor.submit(work, *arguments)
        try:
            return await asyncio.wrap_future(called)
        except asyncio.CancelledError:
            with anyio.CancelScope(shield=True):
                await _end_of(called)
            raise

    def close(self) -> None:
        """Let the threads end; work that comes later starts others."""
        if self._executor is not None:
            self._executor.shutdown(wait=False)
            self._executor = None


async def _end_of(called: Future[T]) -> None:
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    # Called at once if the end has come already, or if the call was taken back before it began.
    called.add_done_callback(lambda _: loop.call_soon_threadsafe(ended.set))
    await ended.wait()
