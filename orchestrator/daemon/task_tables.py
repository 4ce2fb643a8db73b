"""The tables of tasks of the runs that somebody looks at, kept up to date from the journal."""

from __future__ import annotations

import asyncio
from collections import OrderedDict

import anyio
import anyio.lowlevel

from orchestrator.daemon.task_table import TaskTable
from orchestrator.journal import Journal

_PAGE = 4000
"""Events that are read at once: beside busy runs each reading waits for its turn."""
_TOGETHER = 200
"""Events that are folded in without a pause."""


class TaskTables:
    """Makes and keeps tables; the least recently asked for is forgotten first, and made again when asked for.

    Args:
        journal: where the events are.
        kept: how many tables stay in memory.
        tasks: how many tasks they may have together; the table that is asked for stays, whatever it has.
    """

    def __init__(self, journal: Journal, *, kept: int, tasks: int) -> None:
        self._journal = journal
        self._kept = kept
        self._tasks = tasks
        self._tables: OrderedDict[str, TaskTable] = OrderedDict()
        self._locks: dict[str, anyio.Lock] = {}

    async def of(self, run_id: str) -> TaskTable:
        """The table of a run, up to its newest event.

        Args:
            run_id: of a run that the journal may not know yet; its table is empty then.
        """
        async with self._locks.setdefault(run_id, anyio.Lock()):
            table = self._tables.setdefault(run_id, TaskTable())
            self._tables.move_to_end(run_id)
            # Some at a time, so that the loop is free in between however long the run is.
            while rows := await self._journal.stream_rows(run_id=run_id, after=table.cursor, limit=_PAGE):
                for place, row in enumerate(rows, 1):
                    table.fold(row.number, row.event, row.body)
                    if place % _TOGETHER == 0:
                        await asyncio.sleep(0)
        while len(self._tables) > 1 and self._too_much():
            forgotten, _ = self._tables.popitem(last=False)
            self._locks.pop(forgotten, None)
        return table

    async def failed(self, run_id: str) -> frozenset[str]:
        """The tasks of a run that failed, were refused or were given up."""
        table = await self.of(run_id)
        failed: list[str] = []
        while some := table.failed(after=failed[-1] if failed else None, limit=_PAGE):
            failed += some
            await anyio.lowlevel.checkpoint()
        return frozenset(failed)

    def _too_much(self) -> bool:
        return len(self._tables) > self._kept or sum(map(len, self._tables.values())) > self._tasks

    def forget(self, run_id: str) -> None:
        """Keep nothing of a run."""
        self._tables.pop(run_id, None)
        self._locks.pop(run_id, None)
