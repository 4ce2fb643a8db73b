"""A bounded number of workers over one shared source of work."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import anyio

from orchestrator.errors import OrchestratorError


async def run_workers(count: int, work: Callable[[], Awaitable[None]]) -> None:
    """Run the same coroutine function several times at once until all are done.

    Args:
        count: how many; the workers share their source of work, so more only means more at once.
        work: takes from the shared source until it is empty.

    Raises:
        OrchestratorError: the first one that a worker raised, as itself and not in a group; the others are
            cancelled.
    """
    failures: list[OrchestratorError] = []

    async def guarded() -> None:
        try:
            await work()
        except OrchestratorError as error:
            failures.append(error)
            group.cancel_scope.cancel()

    async with anyio.create_task_group() as group:
        for _ in range(count):
            group.start_soon(guarded)
    if failures:
        raise failures[0]
