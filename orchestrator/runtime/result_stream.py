"""The results of one run on their way to one reader, who may be slow, stop, or never come."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator

from orchestrator.results import TaskResult


class ResultStream:
    """Each result is given once; reading again goes on where the last reader left.

    Delivering never waits, so that a reader who stops reading stops nothing else.
    """

    def __init__(self) -> None:
        self._waiting: deque[TaskResult] = deque()
        self._changed = asyncio.Event()
        self._ended = False
        self._error: Exception | None = None

    async def deliver(self, result: TaskResult) -> None:
        """Take a result in."""
        self._waiting.append(result)
        self._changed.set()

    def end(self, error: Exception | None = None) -> None:
        """No more will come; an error is raised to the reader after the last result."""
        if not self._ended:
            self._ended = True
            self._error = error
            self._changed.set()

    async def read(self) -> AsyncIterator[TaskResult]:
        """Give the results as they come, to the end.

        Raises:
            OrchestratorError: what ended the run before its tasks had ended, after the last result.
        """
        while True:
            while self._waiting:
                yield self._waiting.popleft()
            if self._ended:
                if self._error is not None:
                    raise self._error
                return
            self._changed.clear()
            await self._changed.wait()
