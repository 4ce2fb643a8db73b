"""The results of one run on their way to one reader, who may be slow, stop, or never come."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator

from orchestrator.errors import JournalError
from orchestrator.journal import Journal
from orchestrator.results import TaskResult

# Read back in one step; decoding more would keep Python's lock for long.
_PAGE = 500
# Results that may be on their way to the journal, each of which is in memory that long.
_ON_THE_WAY = 1000
# Results in memory while nobody has begun to read: in a daemon nobody ever does, of hundreds of runs.
_UNREAD = 100


class ResultStream:
    """Each result is given once; reading again goes on where the last reader left.

    Delivering never waits for a reader, so that one who stops reading stops nothing else. With a journal
    every result is written there, and those beyond the bound are only there until their turn comes. A run
    that goes on after a crash delivers all its results again, from the first, in the same order: they take
    the places of what the journal has.

    Args:
        journal: keeps the results; without one all that were not read stay in memory.
        run_id: of the run, which was begun in the journal.
        bound: results in memory that were not read; fewer before anybody has begun to.
    """

    def __init__(self, journal: Journal | None = None, run_id: str = "", *, bound: int = 10_000) -> None:
        self._journal = journal
        self._run_id = run_id
        self._bound = bound
        self._waiting: deque[TaskResult] = deque()
        self._delivered = 0
        self._loaded = 0
        self._behind = False
        self._on_the_way = 0
        self._fewer = asyncio.Event()
        self._lost: BaseException | None = None
        self._wanted = False
        self._reading = asyncio.Lock()
        self._changed = asyncio.Event()
        self._ended = False
        self._error: Exception | None = None

    async def deliver(self, result: TaskResult) -> None:
        """Take a result in."""
        self._delivered += 1
        self._keep(result)
        room = self._bound if self._wanted else min(self._bound, _UNREAD)
        if self._behind or (self._kept and len(self._waiting) >= room):
            self._behind = True
        else:
            self._waiting.append(result)
            self._loaded = self._delivered
        self._changed.set()
        while self._on_the_way > _ON_THE_WAY:
            await self._fewer_on_the_way()

    def end(self, error: Exception | None = None) -> None:
        """No more will come; an error is raised to the reader after the last result."""
        if not self._ended:
            self._ended = True
            self._error = error
            self._changed.set()

    async def read(self) -> AsyncIterator[TaskResult]:
        """Give the results as they come, to the end.

        Raises:
            JournalError: results that were kept there can't be read back.
            OrchestratorError: what ended the run before its tasks had ended, after the last result.
        """
        self._wanted = True
        while True:
            while self._waiting:
                yield self._waiting.popleft()
            if self._behind:
                await self._read_on()
            elif self._ended:
                if self._error is not None:
                    raise self._error
                return
            else:
                self._changed.clear()
                await self._changed.wait()

    @property
    def _kept(self) -> bool:
        return self._journal is not None and self._lost is None

    def _keep(self, result: TaskResult) -> None:
        if self._journal is None or self._lost is not None:
            return
        try:
            writing = self._journal.keep_result(self._run_id, self._delivered, result)
        except JournalError as error:
            self._lost = error
        else:
            self._on_the_way += 1
            writing.add_done_callback(self._written)

    def _written(self, writing: asyncio.Future[None]) -> None:
        self._on_the_way -= 1
        # Told to whoever reads as far as the first one that is lost; from now on all stay in memory.
        self._lost = self._lost or writing.exception()
        self._fewer.set()

    async def _fewer_on_the_way(self) -> None:
        self._fewer.clear()
        await self._fewer.wait()

    async def _read_on(self) -> None:
        async with self._reading:
            if self._waiting or not self._behind or self._journal is None:  # another reader was here first
                return
            while self._on_the_way and self._lost is None:
                await self._fewer_on_the_way()
            if self._lost is not None:
                raise self._lost
            page = await self._journal.results(self._run_id, after=self._loaded, limit=_PAGE)
            if not page:
                raise JournalError(
                    f"result {self._loaded + 1} of run {self._run_id} is gone", path=str(self._journal.path)
                )
            self._loaded = page[-1][0]
            self._waiting.extend(result for _, result in page)
            self._behind = self._loaded < self._delivered
