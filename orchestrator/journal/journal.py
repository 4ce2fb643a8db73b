"""The journal: runs, their events, and what they have created and still owe the deletion of."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Self, TypeVar

from orchestrator.errors import JournalError
from orchestrator.events import Event
from orchestrator.journal import hold, reads
from orchestrator.journal.opening import close_late, connect_twice, explained
from orchestrator.journal.pruning import forget_some, prune_some
from orchestrator.journal.records import Owed, RunRecord, StoredEvent
from orchestrator.journal.writer import Writer
from orchestrator.journal.writes import Table, Write
from orchestrator.limits import Limits
from orchestrator.results import TaskResult

T = TypeVar("T")

_RUNNING, _FINISHED = "running", "finished"
_BEGIN = """
INSERT INTO runs (run_id, job_id, pool_id, account, endpoint, fingerprint, plan, state, started_at)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (run_id) DO UPDATE SET
    state = excluded.state, ended_at = NULL, outcome = NULL,
    endpoint = coalesce(nullif(excluded.endpoint, ''), endpoint),
    fingerprint = coalesce(nullif(excluded.fingerprint, ''), fingerprint),
    plan = coalesce(excluded.plan, plan)
"""


class Journal:
    """A file that outlives the program. Made by `open`; several programs may have it open at once.

    One thread writes, and another one reads beside it, so that the loop never waits for the disk. What is
    queued while the disk is busy is committed together. A method that writes has done so when it returns: the
    durable ones (see each) also if the machine loses power then, the others if the program is killed. One
    that is cancelled may or may not have done it, so whoever is cancelled in `owe` does not create, and one
    that is cancelled in `settle` leaves something that will be looked for in vain. A write that fails takes
    with it everything that was queued behind it: nothing is ever written after a gap that nobody was told of.

    Attributes:
        path: of the file.
    """

    def __init__(
        self, path: Path, writing: sqlite3.Connection, reading: sqlite3.Connection, thread: ThreadPoolExecutor
    ) -> None:
        self.path = path
        self._reading = reading
        self._thread = thread
        self._writer = Writer(writing, path)
        self._closed = False

    @classmethod
    async def open(cls, path: Path, *, limits: Limits = Limits()) -> Self:  # noqa: B008 - frozen
        """Open the journal, making the file (readable by its owner only) and its folder if need be.

        Args:
            path: of the file.
            limits: for `journal_timeout`.

        Raises:
            JournalError: the file can't be read or written, is no journal, or was written by a newer version.
        """
        thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="journal-reader")
        opening = thread.submit(connect_twice, path, limits.journal_timeout)
        try:
            writing, reading = await asyncio.wrap_future(opening)
        except BaseException:
            # Cancelled, the thread may still succeed: what it then opens is closed after it.
            thread.submit(close_late, opening.result)
            thread.shutdown(wait=False)
            raise
        return cls(path, writing, reading, thread)

    async def close(self) -> None:
        """Close the file, after the writes that were begun. May be called twice."""
        if not self._closed:
            self._closed = True
            self._writer.end()
            closing = self._thread.submit(self._close)
            self._thread.shutdown(wait=False)
            # Shielded, since cancelling a future that the thread has not come to yet would drop the closing.
            await asyncio.shield(asyncio.wrap_future(closing))

    def _close(self) -> None:
        self._reading.close()
        self._writer.join()

    # --- runs ---------------------------------------------------------------------------------------------

    async def begin_run(
        self,
        run_id: str,
        *,
        job_id: str,
        pool_id: str,
        account: str,
        endpoint: str = "",
        fingerprint: str = "",
        plan: bytes = b"",
    ) -> None:
        """Write down, durably, that a run begins; one that is there already begins again.

        Args:
            run_id: of the run.
            job_id: of its job.
            pool_id: of its pool.
            account: where it runs, for whoever cleans up later.
            endpoint: of the Batch service.
            fingerprint: a hash of what is asked for.
            plan: what is asked for, as JSON with secrets as references; `plan` gives it back. Like endpoint
                and fingerprint it stays what it was if a run begins again without it.

        Raises:
            JournalError: it can't be written.
        """
        told = (run_id, job_id, pool_id, account, endpoint, fingerprint, plan or None, _RUNNING, _now())
        await self._execute(_BEGIN, told)

    async def finish_run(self, run_id: str, *, outcome: str) -> None:
        """Write down, durably, that a run is over.

        Raises:
            JournalError: it can't be written.
        """
        await self._execute(
            "UPDATE runs SET state = ?, outcome = ?, ended_at = ? WHERE run_id = ?",
            (_FINISHED, outcome, _now(), run_id),
        )

    async def run(self, run_id: str) -> RunRecord | None:
        """What is known of a run; None if it was never begun here, or was pruned."""
        found = await self._read(lambda connection: reads.runs(connection, run_id=run_id))
        return found[0] if found else None

    async def runs(
        self, *, unfinished: bool = False, job_id: str | None = None, limit: int = 1000
    ) -> tuple[RunRecord, ...]:
        """The runs, newest first.

        Args:
            unfinished: only those whose end was not written down.
            job_id: only those of a job of this id, in whatever case it is written.
            limit: no more than so many.
        """
        state = _RUNNING if unfinished else None
        return await self._read(lambda c: reads.runs(c, state=state, job_id=job_id, limit=limit))

    async def plan(self, run_id: str) -> bytes | None:
        """The plan that `begin_run` was given; None if there is none."""
        return await self._read(lambda connection: reads.plan(connection, run_id))

    async def hold(self, run_id: str) -> hold.RunHold:
        """Take the right to drive a run, until `release` or the end of this process, however that comes.

        The lock is on a file beside the journal, and is not inherited by child processes.

        Raises:
            RunHeldError: another program, or another part of this one, drives it; the error says who.
            JournalError: the folder of the locks can't be written.
        """
        self._must_be_open()
        taking = self._thread.submit(hold.take, self.path, run_id)
        try:
            return await asyncio.wrap_future(taking)
        except asyncio.CancelledError:
            # The thread may still succeed.
            taking.add_done_callback(_let_go)
            raise

    async def prune(self, *, before: datetime) -> int:
        """Forget finished runs with all that is known of them; one that owes something stays.

        The space in the file is used again; the file does not shrink.

        Args:
            before: only those that ended before this (aware).

        Returns:
            How many runs were forgotten.

        Raises:
            JournalError: it can't be written.
        """
        forgotten = 0
        while True:  # in steps, between which others write
            more, gone = await self._write(lambda connection: prune_some(connection, before))
            for run_id in gone:
                await self._read(lambda _, run_id=run_id: hold.forget(self.path, run_id))  # type: ignore[misc]
            forgotten += len(gone)
            if not more:
                return forgotten

    async def forget(self, run_id: str) -> bool:
        """Forget one run with all that is known of it; False for one that is not over, or owes something.

        Raises:
            JournalError: it can't be written.
        """
        more, gone = True, tuple[str, ...]()
        while more and not gone:  # in steps, as in `prune`
            more, gone = await self._write(lambda connection: forget_some(connection, run_id))
        if gone:
            await self._read(lambda _: hold.forget(self.path, run_id))
        return bool(gone)

    # --- events -------------------------------------------------------------------------------------------

    async def record(self, events: Sequence[Event], *, durable: bool = False) -> None:
        """Write events down.

        Args:
            events: numbered by their bus, in order; of runs that were begun.
            durable: whether they must be on the disk, and not only in the system's hands.

        Raises:
            JournalError: none of them is written.
        """
        if events:
            await self._put(Table.EVENTS, events, durable=durable)

    async def events(
        self, run_id: str, *, after: int = 0, types: tuple[type[Event], ...] = (), limit: int = 1000
    ) -> tuple[Event, ...]:
        """Events of a run in their order.

        Args:
            run_id: of the run.
            after: only those with a higher sequence.
            types: only those of these classes and below; all by default.
            limit: no more than so many.

        Raises:
            JournalError: it can't be read, or an event is of a class that this version does not know.
        """
        return await self._read(
            lambda connection: reads.events(connection, run_id, after=after, types=types, limit=limit)
        )

    async def stream_rows(
        self, *, run_id: str | None, after: int, limit: int = 1000
    ) -> tuple[StoredEvent, ...]:
        """Events as they were written, of one run or of all, by their number in the file.

        Args:
            run_id: of one run; None for all.
            after: only those with a higher `StoredEvent.number`.
            limit: no more than so many.
        """
        return await self._read(
            lambda connection: reads.stream_rows(connection, run_id, after=after, limit=limit)
        )

    async def head(self) -> int:
        """The highest `StoredEvent.number` that was ever given; 0 before the first event."""
        return await self._read(reads.head)

    async def move_cursor(self, run_id: str, handler: str, sequence: int) -> None:
        """Write down that a handler has handled everything up to this event; a cursor never moves back."""
        await self._put(Table.CURSORS, [(run_id, handler, sequence)])

    async def cursors(self, run_id: str) -> dict[str, int]:
        """How far each handler of a run has come, by name."""
        return await self._read(lambda connection: reads.cursors(connection, run_id))

    # --- submission ---------------------------------------------------------------------------------------

    async def intend(self, run_id: str, task_ids: Sequence[str]) -> None:
        """Write down, durably, that these tasks are about to be added: call it before the request is sent.

        Raises:
            JournalError: it can't be written, so the request must not be sent.
        """
        await self._put(Table.INTENTS, [(run_id, task_ids)], durable=True)

    async def intended(self, run_id: str) -> tuple[tuple[str, ...], ...]:
        """The tasks that may have been added, one tuple a request, in the order of the requests."""
        return await self._read(lambda connection: reads.intended(connection, run_id))

    # --- results ------------------------------------------------------------------------------------------

    def keep_result(self, run_id: str, number: int, result: TaskResult) -> asyncio.Future[None]:
        """Begin to write down a task's result; a later one of the same number takes its place.

        Args:
            run_id: of the run.
            number: of the result in the run, from 1.
            result: to be kept.

        Returns:
            What tells the end of the write, or its `JournalError`. Results come by the thousand, and nobody
            may wait for each.

        Raises:
            JournalError: the journal is closed.
        """
        return self._begin(Table.RESULTS, [(run_id, number, result)])

    async def results(
        self, run_id: str, *, after: int = 0, limit: int = 1000
    ) -> tuple[tuple[int, TaskResult], ...]:
        """Results of a run with their numbers, in their order.

        Args:
            run_id: of the run.
            after: only those with a higher number.
            limit: no more than so many.
        """
        return await self._read(lambda c: reads.results(c, run_id, after=after, limit=limit))

    # --- what is owed -------------------------------------------------------------------------------------

    async def owe(self, run_id: str, kind: str, resource_id: str) -> None:
        """Write down, durably, that a thing may exist from now on: call it before its creation is sent.

        Raises:
            JournalError: it can't be written, so the thing must not be created.
        """
        await self._execute(
            "INSERT INTO owed (run_id, kind, id, since) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
            (run_id, kind, resource_id, _now()),
        )

    async def settle(self, run_id: str, kind: str, resource_id: str) -> None:
        """Strike a thing out, durably: it is gone, or is to stay.

        Raises:
            JournalError: it can't be written.
        """
        await self._execute(
            "DELETE FROM owed WHERE run_id = ? AND kind = ? AND id = ?", (run_id, kind, resource_id)
        )

    async def owed(self, run_id: str | None = None) -> tuple[Owed, ...]:
        """What is still owed.

        Args:
            run_id: of one run; None for all.

        Returns:
            Everything that was not struck out, in the order in which it was written down.

        Raises:
            JournalError: it can't be read.
        """
        return await self._read(lambda connection: reads.owed(connection, run_id))

    # --- how ----------------------------------------------------------------------------------------------

    async def _execute(self, statement: str, values: tuple[object, ...]) -> None:
        def execute(connection: sqlite3.Connection) -> None:
            connection.execute(statement, values)

        await self._write(execute)

    async def _write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        self._must_be_open()
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._writer.put(Write(future, durable=True, work=work))
        return await future

    async def _put(self, table: Table, rows: Sequence[object], *, durable: bool = False) -> None:
        await self._begin(table, rows, durable=durable)

    def _begin(self, table: Table, rows: Sequence[object], *, durable: bool = False) -> asyncio.Future[None]:
        self._must_be_open()
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._writer.put(Write(future, durable=durable, table=table, rows=rows))
        return future

    async def _read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        self._must_be_open()
        try:
            return await asyncio.wrap_future(self._thread.submit(work, self._reading))
        except sqlite3.Error as error:
            raise explained(error, self.path) from error
        except reads.UnknownEventError as error:
            raise JournalError(str(error), path=str(self.path)) from error

    def _must_be_open(self) -> None:
        if self._closed:
            raise JournalError("it is closed", path=str(self.path))


def _let_go(taking: Future[hold.RunHold]) -> None:
    if not taking.cancelled() and taking.exception() is None:
        taking.result().release()


def _now() -> str:
    return datetime.now(UTC).isoformat()
