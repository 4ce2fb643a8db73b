"""Several coroutines at once: workers that share a source of work, or different ones. An error ends all."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeAlias

import anyio

Call: TypeAlias = Callable[[], None]


async def run_workers(count: int, work: Callable[[], Awaitable[None]]) -> None:
    """Run the same coroutine function several times at once until all are done.

    Args:
        count: how many; the workers share their source of work, so more only means more at once.
        work: takes from the shared source until it is empty.

    Raises:
        Exception: the first one that a worker raised, as itself and not in a group; the others are cancelled.
    """

    async def and_the_next(call: Call) -> None:
        call()
        await work()

    if count > 0:
        await run_as_called(count, and_the_next)


async def run_all(*works: Callable[[], Awaitable[object]]) -> None:
    """Run different coroutine functions at once until all are done.

    Args:
        works: each is run once.

    Raises:
        Exception: as `run_workers` raises it.
    """
    waiting = iter(works)

    async def one() -> None:
        await next(waiting)()

    await run_workers(len(works), one)


async def run_as_called(most: int, work: Callable[[Call], Awaitable[None]]) -> None:
    """Run a coroutine function, and once more beside it whenever one that runs calls for another.

    Args:
        most: how many in all; further calls are ignored.
        work: given the call; what it takes from a shared source, only as many as there is work for are made.

    Raises:
        Exception: as `run_workers` raises it.
    """
    failures: list[Exception] = []
    left = most

    async def guarded() -> None:
        try:
            await work(call)
        except Exception as error:  # the group would wrap it
            failures.append(error)
            group.cancel_scope.cancel()

    def call() -> None:
        nonlocal left
        if left > 0:
            left -= 1
            group.start_soon(guarded)

    async with anyio.create_task_group() as group:
        call()
    if failures:
        raise failures[0]
