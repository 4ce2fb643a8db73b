"""The events of all runs as a stream with numbers: the newest from memory, older ones from the journal."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator

import anyio

from orchestrator.journal import Journal
from orchestrator.journal.records import StoredEvent

_PAGE = 500


class Feed:
    """Reads each event from the journal once, whoever listens, and never holds more than it was told to.

    A listener pulls: what it has not taken waits in the journal, so that one that stops reading costs
    nothing but its cursor.

    Args:
        journal: where the events are, numbered.
        kept: how many of the newest stay in memory.
        interval: seconds between two looks at the journal, or of a run's listener, when nothing was told.
        quiet: the same for the listeners of all runs.
    """

    def __init__(self, journal: Journal, *, kept: int, interval: float, quiet: float) -> None:
        self._journal = journal
        self._interval = interval
        self._quiet = quiet
        self._newest: deque[StoredEvent] = deque(maxlen=kept)
        self._head = 0
        self._grown = asyncio.Event()
        self._told = asyncio.Event()

    @property
    def head(self) -> int:
        """The number of the newest event that was read."""
        return self._head

    def tell(self) -> None:
        """Something happened: look at the journal now."""
        self._told.set()

    def wake(self) -> None:
        """Let every listener look, for events or at what else it waits for."""
        grown, self._grown = self._grown, asyncio.Event()
        grown.set()

    async def catch_up(self) -> None:
        """Begin with what happens from now on; what was before is in the journal. Call it before `pump`."""
        self._head = await self._journal.head()

    async def pump(self) -> None:
        """Read what is new, for ever."""
        while True:
            self._told.clear()
            while rows := await self._journal.stream_rows(run_id=None, after=self._head, limit=_PAGE):
                self._newest.extend(rows)
                self._head = rows[-1].number
                self.wake()
            with anyio.move_on_after(self._interval):
                await self._told.wait()

    async def after(
        self, cursor: int, *, run_id: str | None
    ) -> AsyncGenerator[tuple[int, list[StoredEvent]]]:
        """The events after a number, in order, without a gap, without an end.

        Args:
            cursor: a number; 0 for all that the journal has.
            run_id: only this run's.

        Yields:
            How far the listener is now, and what it gets: nothing if what passed was other runs', or if
            nothing passed for the interval.
        """
        while True:
            grown = self._grown
            if cursor >= self._head:
                # A thousand listeners that look twice a second would keep the loop busy with nothing.
                with anyio.move_on_after(self._interval if run_id is not None else self._quiet):
                    await grown.wait()
                if cursor >= self._head:
                    yield cursor, []
                    continue
            cursor, rows = await self._next(cursor, run_id)
            yield cursor, rows

    async def _next(self, cursor: int, run_id: str | None) -> tuple[int, list[StoredEvent]]:
        head = self._head
        if self._newest and self._newest[0].number <= cursor + 1:
            rows = [row for row in self._newest if row.number > cursor][:_PAGE]
            return rows[-1].number, [row for row in rows if run_id is None or row.run_id == run_id]
        stored = list(await self._journal.stream_rows(run_id=run_id, after=cursor, limit=_PAGE))
        # Past the head another listener's turn may be ahead of what was read; what is new comes next time.
        stored = [row for row in stored if row.number <= head]
        if len(stored) < _PAGE:
            return head, stored
        return stored[-1].number, stored
