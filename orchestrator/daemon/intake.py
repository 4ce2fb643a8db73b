"""The daemon's own table of runs, in SQLite: an accepted run is on the disk before anybody is told so."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from operator import attrgetter
from pathlib import Path
from typing import Any, Final, Self, TypeVar

import msgspec

from orchestrator.daemon.intake_schema import connect
from orchestrator.daemon.records import NewRun, Phase, RunRecord, Source
from orchestrator.daemon.refusals import key_reused
from orchestrator.daemon.run_counts import RunCounts
from orchestrator.errors import JournalError
from orchestrator.states import RunOutcome

T = TypeVar("T")

_COLUMNS = (
    "number, run_id, job_id, submitter, priority, source, name, parent, folder, download_dir, phase,"
    " accepted_at, begun_at, ended_at, cancelled, outcome, CAST(result AS TEXT), error"
)


class _Row(msgspec.Struct, array_like=True):
    """The columns."""

    number: int
    run_id: str
    job_id: str
    submitter: str
    priority: int
    source: Source
    name: str
    parent: str | None
    folder: str | None
    download_dir: str
    phase: Phase
    accepted_at: datetime
    begun_at: datetime | None
    ended_at: datetime | None
    cancelled: str | None
    outcome: RunOutcome | None
    result: str | None
    error: str | None


_ROWS = msgspec.json.Decoder(list[_Row])
_CHANGED = frozenset({"folder", "download_dir", "result"})


class _Place(msgspec.Struct):
    """Of a job: where its results go."""

    download_dir: str


_PLACE: Final = msgspec.json.Decoder(_Place)


class Intake:
    """A file that outlives the daemon. Made by `open`.

    One thread writes, and another one reads beside it: who looks does not wait for the disk behind those who
    write. What a method wrote is on the disk when it returns, and every later look sees it.
    """

    def __init__(
        self,
        path: Path,
        threads: tuple[ThreadPoolExecutor, ThreadPoolExecutor],
        connections: tuple[sqlite3.Connection, sqlite3.Connection],
        counts: RunCounts,
    ) -> None:
        self.path = path
        self._thread, self._reader = threads
        self._connection, self._reading = connections
        self._counts = counts
        self._closed = False

    @classmethod
    async def open(cls, path: Path, *, timeout: float) -> Self:
        """Open the file, making it (readable by its owner only) if need be.

        Args:
            path: of the file; its folder exists.
            timeout: seconds that another program may keep it locked.

        Raises:
            JournalError: it can't be read or written, or was written by a newer version.
        """
        writer = ThreadPoolExecutor(max_workers=1, thread_name_prefix="intake")
        reader = ThreadPoolExecutor(max_workers=1, thread_name_prefix="intake-reader")
        try:
            writing = await asyncio.wrap_future(writer.submit(connect, path, timeout))
            reading = await asyncio.wrap_future(reader.submit(connect, path, timeout))
            counts = await asyncio.wrap_future(writer.submit(RunCounts, writing))
        except sqlite3.Error as error:
            for thread in (writer, reader):
                thread.shutdown(wait=False)
            raise JournalError(str(error), path=str(path)) from error
        return cls(path, (writer, reader), (writing, reading), counts)

    async def close(self) -> None:
        """Close the file, after the writes that were begun. May be called twice."""
        if not self._closed:
            self._closed = True
            opened = (self._thread, self._connection), (self._reader, self._reading)
            closings = [thread.submit(connection.close) for thread, connection in opened]
            for thread, _ in opened:
                thread.shutdown(wait=False)
            for closing in closings:
                await asyncio.shield(asyncio.wrap_future(closing))

    async def accept(self, run: NewRun) -> tuple[RunRecord, bool]:
        """Write a run down.

        Returns:
            The record, and whether it is new: False where the same key brought the same wish before.

        Raises:
            DaemonError: the key was used for another wish.
            JournalError: it can't be written, so the run is not accepted.
        """

        def write() -> tuple[RunRecord, bool]:
            with self._counts.follow(run.run_id), self._transaction():
                known = _known(self._connection, run.idempotency_key, run.body_hash)
                if known is None:
                    self._insert(run)
            found = _one(self._connection, known or run.run_id)
            if found is None:
                raise JournalError("a run that was just written is not there", path=str(self.path))
            return found, known is None

        return await self._run(write)

    async def known(self, key: str | None, body_hash: str) -> RunRecord | None:
        """The run that a key brought before; None for a key that is new.

        Raises:
            DaemonError: the key was used for another wish.
        """

        def read(connection: sqlite3.Connection) -> RunRecord | None:
            run_id = _known(connection, key, body_hash)
            return None if run_id is None else _one(connection, run_id)

        return await self._read(read)

    async def get(self, run_id: str) -> RunRecord | None:
        """A run; None if it was never accepted, or is forgotten."""
        return await self._read(lambda connection: _one(connection, run_id))

    async def spec(self, run_id: str) -> bytes:
        """The job of a run, as `encode_job` writes it.

        Raises:
            LookupError: there is no such run.
        """
        statement = "SELECT spec FROM specs WHERE run_id = ?"
        row = await self._read(lambda connection: connection.execute(statement, (run_id,)).fetchone())
        if row is None:
            raise LookupError(run_id)
        return bytes(row[0])

    async def page(
        self, *, phases: Iterable[Phase] = (), after: int | None = None, limit: int
    ) -> tuple[RunRecord, ...]:
        """Runs, newest first.

        Args:
            phases: only in these; in any by default.
            after: only those that were accepted before the run of this number.
            limit: the most.
        """
        wanted = tuple(phases) or tuple(Phase)
        marks = ",".join("?" * len(wanted))
        found = await self._read(
            lambda connection: _select(
                connection,
                f"WHERE phase IN ({marks}) AND (? IS NULL OR number < ?) ORDER BY number DESC LIMIT ?",
                (*(phase.value for phase in wanted), after, after, limit),
            )
        )
        return found[::-1]

    async def unfinished(self) -> tuple[RunRecord, ...]:
        """Every run that is not over, in the order in which they came."""
        return await self._read(
            lambda connection: _select(connection, "WHERE phase != ?", (Phase.FINISHED.value,))
        )

    async def ended_before(self, moment: datetime, *, limit: int) -> tuple[str, ...]:
        """Runs that were over by then, the first of them.

        Args:
            moment: aware.
            limit: the most.
        """
        statement = "SELECT run_id FROM runs WHERE phase = ? AND ended_at < ? ORDER BY number LIMIT ?"
        values = (Phase.FINISHED.value, moment.astimezone(UTC).isoformat(), limit)
        rows = await self._run(lambda: self._connection.execute(statement, values).fetchall())
        return tuple(row[0] for row in rows)

    async def folders(self) -> tuple[Path, ...]:
        """The folders of input files that runs have."""
        statement = "SELECT DISTINCT folder FROM runs WHERE folder IS NOT NULL"
        rows = await self._run(lambda: self._connection.execute(statement).fetchall())
        return tuple(Path(row[0]) for row in rows)

    @property
    def counts(self) -> Mapping[str, int]:
        """How many runs there are in each phase, and by outcome where they are over."""
        return self._counts.told

    async def begun(self, run_id: str) -> bytes:
        """Write down that a run was handed to the runtime: call it before.

        Returns:
            Its job, as `encode_job` writes it.
        """
        await self._update("phase = ?, begun_at = ?", (Phase.RUNNING.value, _now()), run_id)
        return await self.spec(run_id)

    async def cancelled(self, run_id: str, reason: str) -> None:
        """Write down that a run is to end early, so that it does after a restart too."""
        await self._update("cancelled = ?", (reason,), run_id)

    async def finished(
        self, run_id: str, *, outcome: RunOutcome, result: bytes | None = None, error: str | None = None
    ) -> None:
        """Write down that a run is over."""
        values = (Phase.FINISHED.value, _now(), outcome.value, result, error)
        await self._update("phase = ?, ended_at = ?, outcome = ?, result = ?, error = ?", values, run_id)

    async def forget(self, run_id: str) -> Path | None:
        """Forget a run and its idempotency key.

        Returns:
            The folder of its input files, if no other run needs it.
        """

        def write() -> Path | None:
            connection = self._connection
            row = connection.execute("SELECT folder FROM runs WHERE run_id = ?", (run_id,)).fetchone()
            with self._counts.follow(run_id), self._transaction():
                for table in ("keys", "specs", "runs"):
                    statement = f"DELETE FROM {table} WHERE run_id = ?"  # noqa: S608 - ours
                    connection.execute(statement, (run_id,))
            folder = row[0] if row is not None else None
            others = connection.execute("SELECT 1 FROM runs WHERE folder = ? LIMIT 1", (folder,)).fetchone()
            return None if folder is None or others is not None else Path(folder)

        return await self._run(write)

    async def webhook_cursor(self, url: str) -> int | None:
        """The number of the last event that a webhook's receiver has confirmed; None for a new one."""
        statement = "SELECT cursor FROM webhooks WHERE url = ?"
        row = await self._run(lambda: self._connection.execute(statement, (url,)).fetchone())
        return None if row is None else int(row[0])

    async def move_webhook(self, url: str, cursor: int) -> None:
        """Write down that a webhook's receiver has confirmed everything up to this event."""
        statement = "INSERT INTO webhooks (url, cursor) VALUES (?, ?) ON CONFLICT DO UPDATE SET cursor = ?"
        await self._run(lambda: self._connection.execute(statement, (url, cursor, cursor)))

    # --- in the thread ------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")

    def _insert(self, run: NewRun) -> None:
        self._connection.execute(
            "INSERT INTO runs (run_id, job_id, submitter, priority, source, name, parent, folder,"
            " download_dir, phase, accepted_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                run.run_id,
                run.job_id,
                run.submitter,
                run.priority,
                run.source.value,
                run.name,
                run.parent,
                str(run.folder) if run.folder is not None else None,
                _PLACE.decode(run.spec).download_dir,
                Phase.QUEUED.value,
                _now(),
            ),
        )
        self._connection.execute("INSERT INTO specs (run_id, spec) VALUES (?, ?)", (run.run_id, run.spec))
        if run.idempotency_key is not None:
            self._connection.execute(
                "INSERT INTO keys (key, body_hash, run_id) VALUES (?, ?, ?)",
                (run.idempotency_key, run.body_hash, run.run_id),
            )

    async def _update(self, changes: str, values: tuple[Any, ...], run_id: str) -> None:
        statement = f"UPDATE runs SET {changes} WHERE run_id = ?"  # noqa: S608 - ours

        def write() -> None:
            with self._counts.follow(run_id):
                self._connection.execute(statement, (*values, run_id))

        await self._run(write)

    async def _run(self, work: Callable[[], T]) -> T:
        return await self._in(self._thread, work)

    async def _read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        return await self._in(self._reader, lambda: work(self._reading))

    async def _in(self, thread: ThreadPoolExecutor, work: Callable[[], T]) -> T:
        if self._closed:
            raise JournalError("it is closed", path=str(self.path))
        try:
            return await asyncio.wrap_future(thread.submit(work))
        except sqlite3.Error as error:
            raise JournalError(str(error), path=str(self.path)) from error


def _known(connection: sqlite3.Connection, key: str | None, body_hash: str) -> str | None:
    if key is None:
        return None
    row = connection.execute("SELECT run_id, body_hash FROM keys WHERE key = ?", (key,)).fetchone()
    if row is None:
        return None
    if row[1] != body_hash:
        raise key_reused(row[0])
    return str(row[0])


def _one(connection: sqlite3.Connection, run_id: str) -> RunRecord | None:
    return next(iter(_select(connection, "WHERE run_id = ?", (run_id,))), None)


def _select(connection: sqlite3.Connection, clause: str, values: tuple[Any, ...]) -> tuple[RunRecord, ...]:
    """Runs in the order of their numbers."""
    rows = f"SELECT json_array({_COLUMNS}) AS row FROM runs {clause}"  # noqa: S608 - ours
    # Gathered by SQLite: Python's lock is let go for each row, and has to be won again from a busy loop.
    statement = f"SELECT '[' || coalesce(group_concat(row), '') || ']' FROM ({rows})"  # noqa: S608 - ours
    (told,) = connection.execute(statement, values).fetchone()
    return tuple(map(_record, sorted(_ROWS.decode(told), key=attrgetter("number"))))


def _record(row: _Row) -> RunRecord:
    fields = {name: getattr(row, name) for name in _Row.__struct_fields__ if name not in _CHANGED}
    return RunRecord(
        **fields,
        folder=Path(row.folder) if row.folder is not None else None,
        results=Path(row.download_dir) / row.job_id,
        result=row.result.encode() if row.result is not None else None,
    )


def _now() -> str:
    return datetime.now(UTC).isoformat()
