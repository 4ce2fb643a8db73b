"""Threads for files: what was begun is waited for, what was not begun never happens."""

from __future__ import annotations

import threading

import anyio
import pytest

from orchestrator.file_threads import FileThreads
from tests.unit.owner import LIMIT


async def test_what_a_call_returns_or_raises_comes_back() -> None:
    threads = FileThreads(2)
    assert await threads.run(divmod, 7, 2) == (3, 1)
    with pytest.raises(ZeroDivisionError):
        await threads.run(divmod, 7, 0)
    threads.close()


async def test_a_cancelled_caller_waits_for_a_call_that_has_begun() -> None:
    threads = FileThreads(1)
    begun, go, over = threading.Event(), threading.Event(), threading.Event()
    left: list[bool] = []

    def work() -> None:
        begun.set()
        go.wait(LIMIT)
        over.set()

    async def call() -> None:
        try:
            await threads.run(work)
        finally:
            left.append(over.is_set())

    with anyio.fail_after(LIMIT):
        async with anyio.create_task_group() as group:
            group.start_soon(call)
            await anyio.to_thread.run_sync(begun.wait)
            group.cancel_scope.cancel()
            with anyio.CancelScope(shield=True):
                for _ in range(20):
                    await anyio.lowlevel.checkpoint()
            assert left == []
            go.set()
    assert left == [True]
    threads.close()


async def test_a_call_that_has_not_begun_when_its_caller_is_cancelled_is_taken_back() -> None:
    threads = FileThreads(1)
    begun, go = threading.Event(), threading.Event()
    called: list[str] = []

    def hold() -> None:
        begun.set()
        go.wait(LIMIT)

    with anyio.fail_after(LIMIT):
        async with anyio.create_task_group() as group:
            group.start_soon(threads.run, hold)
            await anyio.to_thread.run_sync(begun.wait)
            async with anyio.create_task_group() as behind:
                behind.start_soon(threads.run, called.append, "late")
                await anyio.lowlevel.checkpoint()
                behind.cancel_scope.cancel()
            go.set()
        await threads.run(called.append, "after")
    assert called == ["after"]
    threads.close()


async def test_work_after_the_end_starts_threads_again() -> None:
    threads = FileThreads(1)
    threads.close()
    assert await threads.run(len, "abc") == 3
    threads.close()
