"""Stands for the owner of a run: runs what the parts start, in a task group of its own."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Self

import anyio

LIMIT = 10.0
"""Seconds that any wait in a test may take; far more than it ever does."""


class Owner:
    """A task group as a `start` function; leaving it cancels what still runs."""

    def __init__(self) -> None:
        self.started: list[str] = []
        self._group = anyio.create_task_group()

    def start(self, work: Callable[[], Awaitable[None]], name: str) -> None:
        self.started.append(name)

        async def run() -> None:
            await work()

        self._group.start_soon(run, name=name)

    def cancel(self) -> None:
        self._group.cancel_scope.cancel()

    async def __aenter__(self) -> Self:
        await self._group.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        self.cancel()
        return await self._group.__aexit__(kind, error, trace)
