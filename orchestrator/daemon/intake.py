"""The daemon's own table of runs, in SQLite: an accepted run is on the disk before anybody is told so."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Self, TypeVar

import msgspec

from orchestrator.daemon.records import NewRun, Phase, RunRecord, Source
from orchestrator.daemon.refusals import key_reused
from orchestrator.errors import JournalError
from orchestrator.states import RunOutcome

T = TypeVar("T")

_VERSION_1 = """
CREATE TABLE runs (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    run_id TEXT NOT NULL UNIQUE,
    job_id TEXT NOT NULL,
    submitter TEXT NOT NULL,
    priority INTEGER NOT NULL,
    source TEXT NOT NULL,
    name TEXT NOT NULL,
    parent TEXT,
    folder TEXT,
    spec BLOB NOT NULL,
    phase TEXT NOT NULL,
    accepted_at TEXT NOT NULL,
    begun_at TEXT,
    ended_at TEXT,
    cancelled TEXT,
    outcome TEXT,
    result BLOB,
    error TEXT
);
CREATE INDEX runs_by_phase ON runs (phase, number);
CREATE TABLE keys (
    key TEXT PRIMARY KEY,
    body_hash TEXT NOT NULL,
    run_id TEXT NOT NULL
);
CREATE INDEX keys_by_run ON keys (run_id);
"""
_FROM_1_TO_2 = """
CREATE TABLE webhooks (
    url TEXT PRIMARY KEY,
    cursor INTEGER NOT NULL
);
CREATE INDEX runs_by_outcome ON runs (phase, outcome);
"""
# A job may be megabytes, which whoever looks at many runs has no use for.
_FROM_2_TO_3 = """
CREATE TABLE specs (
    run_id TEXT PRIMARY KEY,
    spec BLOB NOT NULL
);
INSERT INTO specs SELECT run_id, spec FROM runs;
ALTER TABLE runs ADD COLUMN download_dir TEXT NOT NULL DEFAULT '';
UPDATE runs SET download_dir = json_extract(CAST(spec AS TEXT), '$.download_dir');
ALTER TABLE runs DROP COLUMN spec;
"""
_STEPS = (_VERSION_1, _FROM_1_TO_2, _FROM_2_TO_3)
"""What leads from each version to the next; a new file takes all of them."""
_SCHEMA_VERSION = len(_STEPS)
_COLUMNS = (
    "number, run_id, job_id, submitter, priority, source, name, parent, folder, download_dir, phase,"
    " accepted_at, begun_at, ended_at, cancelled, outcome, result, error"
)


class _Place(msgspec.Struct):
    """Of a job: where its results go."""

    download_dir: str


_PLACE: Final = msgspec.json.Decoder(_Place)


class Intake:
    """A file that outlives the daemon. Made by `open`.

    All access goes through one thread of its own. What a method wrote is on the disk when it returns.
    """

    def __init__(self, path: Path, thread: ThreadPoolExecutor, connection: sqlite3.Connection) -> None:
        self.path = path
        self._thread = thread
        self._connection = connection
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
        thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="intake")
        try:
            connection = await asyncio.wrap_future(thread.submit(_connect, path, timeout))
        except sqlite3.Error as error:
            thread.shutdown(wait=False)
            raise JournalError(str(error), path=str(path)) from error
        return cls(path, thread, connection)

    async def close(self) -> None:
        """Close the file, after the writes that were begun. May be called twice."""
        if not self._closed:
            self._closed = True
            closing = self._thread.submit(self._connection.close)
            self._thread.shutdown(wait=False)
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
            with self._transaction():
                known = self._known(run.idempotency_key, run.body_hash)
                if known is None:
                    self._insert(run)
            found = self._one(known or run.run_id)
            if found is None:
                raise JournalError("a run that was just written is not there", path=str(self.path))
            return found, known is None

        return await self._run(write)

    async def known(self, key: str | None, body_hash: str) -> RunRecord | None:
        """The run that a key brought before; None for a key that is new.

        Raises:
            DaemonError: the key was used for another wish.
        """

        def read() -> RunRecord | None:
            run_id = self._known(key, body_hash)
            return None if run_id is None else self._one(run_id)

        return await self._run(read)

    async def get(self, run_id: str) -> RunRecord | None:
        """A run; None if it was never accepted, or is forgotten."""
        return await self._run(lambda: self._one(run_id))

    async def spec(self, run_id: str) -> bytes:
        """The job of a run, as `encode_job` writes it.

        Raises:
            LookupError: there is no such run.
        """
        statement = "SELECT spec FROM specs WHERE run_id = ?"
        row = await self._run(lambda: self._connection.execute(statement, (run_id,)).fetchone())
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
        return await self._run(
            lambda: self._select(
                f"WHERE phase IN ({marks}) AND (? IS NULL OR number < ?) ORDER BY number DESC LIMIT ?",
                (*(phase.value for phase in wanted), after, after, limit),
            )
        )

    async def unfinished(self) -> tuple[RunRecord, ...]:
        """Every run that is not over, in the order in which they came."""
        return await self._run(
            lambda: self._select("WHERE phase != ? ORDER BY number", (Phase.FINISHED.value,))
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

    async def counts(self) -> dict[str, int]:
        """How many runs there are in each phase, and by outcome where they are over."""
        statement = "SELECT coalesce(outcome, phase), count(*) FROM runs GROUP BY phase, outcome"
        return await self._run(lambda: dict(self._connection.execute(statement).fetchall()))

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
            with self._transaction():
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

    def _known(self, key: str | None, body_hash: str) -> str | None:
        if key is None:
            return None
        row = self._connection.execute("SELECT run_id, body_hash FROM keys WHERE key = ?", (key,)).fetchone()
        if row is None:
            return None
        if row[1] != body_hash:
            raise key_reused(row[0])
        return str(row[0])

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

    def _one(self, run_id: str) -> RunRecord | None:
        return next(iter(self._select("WHERE run_id = ?", (run_id,))), None)

    def _select(self, clause: str, values: tuple[Any, ...]) -> tuple[RunRecord, ...]:
        rows = self._connection.execute(f"SELECT {_COLUMNS} FROM runs {clause}", values)  # noqa: S608 - ours
        return tuple(map(_record, rows))

    async def _update(self, changes: str, values: tuple[Any, ...], run_id: str) -> None:
        statement = f"UPDATE runs SET {changes} WHERE run_id = ?"  # noqa: S608 - ours
        await self._run(lambda: self._connection.execute(statement, (*values, run_id)))

    async def _run(self, work: Callable[[], T]) -> T:
        if self._closed:
            raise JournalError("it is closed", path=str(self.path))
        try:
            return await asyncio.wrap_future(self._thread.submit(work))
        except sqlite3.Error as error:
            raise JournalError(str(error), path=str(self.path)) from error


def _connect(path: Path, timeout: float) -> sqlite3.Connection:
    # Made here with its mode: SQLite would make it readable for all; its companions take over the mode.
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=timeout)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        _check_version(version, path)
        if steps := "".join(_STEPS[version:]):
            connection.executescript(f"BEGIN; {steps} PRAGMA user_version = {_SCHEMA_VERSION}; COMMIT;")
    except BaseException:
        connection.close()
        raise
    return connection


def _check_version(version: int, path: Path) -> None:
    if version > _SCHEMA_VERSION:
        raise JournalError(
            f"a newer version of the daemon wrote it (schema {version}): use that version, or another "
            "state directory",
            path=str(path),
        )


def _record(row: tuple[Any, ...]) -> RunRecord:
    return RunRecord(
        number=row[0],
        run_id=row[1],
        job_id=row[2],
        submitter=row[3],
        priority=row[4],
        source=Source(row[5]),
        name=row[6],
        parent=row[7],
        folder=Path(row[8]) if row[8] is not None else None,
        results=Path(row[9]) / row[2],
        phase=Phase(row[10]),
        accepted_at=datetime.fromisoformat(row[11]),
        begun_at=_time(row[12]),
        ended_at=_time(row[13]),
        cancelled=row[14],
        outcome=RunOutcome(row[15]) if row[15] is not None else None,
        result=row[16],
        error=row[17],
    )


def _time(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def _now() -> str:
    return datetime.now(UTC).isoformat()
