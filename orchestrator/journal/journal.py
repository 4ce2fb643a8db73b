"""The journal: runs, and what they have created and still owe the deletion of."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sqlite3
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Self, TypeVar

import msgspec

from orchestrator.errors import JournalError
from orchestrator.journal.schema import SchemaError, prepare
from orchestrator.limits import Limits

T = TypeVar("T")

_RUNNING, _FINISHED = "running", "finished"


class Owed(msgspec.Struct, frozen=True, kw_only=True):
    """Something that a run has created, or was about to create.

    Args:
        run_id: of that run.
        kind: job, pool, container or application.
        resource_id: its id or name.
        since: when it was written down.
    """

    run_id: str
    kind: str
    resource_id: str
    since: datetime


class Journal:
    """A file that outlives the program. Made by `open`; several programs may have it open at once.

    All access goes through one thread of its own, so that the loop never waits for the disk and one
    connection is enough. Each method has done its write, durably, when it returns; one that is cancelled may
    or may not have done it, so whoever is cancelled in `owe` does not create, and one that is cancelled in
    `settle` leaves something that will be looked for in vain.

    Attributes:
        path: of the file.
    """

    def __init__(self, path: Path, thread: ThreadPoolExecutor, connection: sqlite3.Connection) -> None:
        self.path = path
        self._thread = thread
        self._connection = connection
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
        thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="journal")
        opening = thread.submit(_connect, path, limits.journal_timeout)
        try:
            connection = await asyncio.wrap_future(opening)
        except BaseException:
            # Cancelled, the thread may still succeed: what it then opens is closed after it.
            thread.submit(_close_late, opening.result)
            thread.shutdown(wait=False)
            raise
        return cls(path, thread, connection)

    async def close(self) -> None:
        """Close the file, after the writes that were begun. May be called twice."""
        if not self._closed:
            self._closed = True
            closing = self._thread.submit(self._connection.close)
            self._thread.shutdown(wait=False)
            # Shielded, since cancelling a future that the thread has not come to yet would drop the closing.
            await asyncio.shield(asyncio.wrap_future(closing))

    async def begin_run(self, run_id: str, *, job_id: str, pool_id: str, account: str) -> None:
        """Write down that a run begins; one that is there already begins again.

        Args:
            run_id: of the run.
            job_id: of its job.
            pool_id: of its pool.
            account: where it runs, for whoever cleans up later.

        Raises:
            JournalError: it can't be written.
        """
        await self._execute(
            "INSERT INTO runs (run_id, job_id, pool_id, account, state, started_at) VALUES (?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (run_id) DO UPDATE SET state = excluded.state, ended_at = NULL, outcome = NULL",
            (run_id, job_id, pool_id, account, _RUNNING, _now()),
        )

    async def finish_run(self, run_id: str, *, outcome: str) -> None:
        """Write down that a run is over.

        Raises:
            JournalError: it can't be written.
        """
        await self._execute(
            "UPDATE runs SET state = ?, outcome = ?, ended_at = ? WHERE run_id = ?",
            (_FINISHED, outcome, _now(), run_id),
        )

    async def owe(self, run_id: str, kind: str, resource_id: str) -> None:
        """Write down that a thing may exist from now on: call it before its creation is sent.

        Raises:
            JournalError: it can't be written, so the thing must not be created.
        """
        await self._execute(
            "INSERT INTO owed (run_id, kind, id, since) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
            (run_id, kind, resource_id, _now()),
        )

    async def settle(self, run_id: str, kind: str, resource_id: str) -> None:
        """Strike a thing out: it is gone, or is to stay.

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

        def read() -> tuple[Owed, ...]:
            rows = self._connection.execute(
                "SELECT run_id, kind, id, since FROM owed WHERE ?1 IS NULL OR run_id = ?1 ORDER BY number",
                (run_id,),
            )
            return tuple(
                Owed(run_id=run, kind=kind, resource_id=name, since=datetime.fromisoformat(since))
                for run, kind, name, since in rows
            )

        return await self._run(read)

    async def _execute(self, statement: str, values: tuple[object, ...]) -> None:
        def execute() -> None:
            self._connection.execute(statement, values)

        await self._run(execute)

    async def _run(self, work: Callable[[], T]) -> T:
        if self._closed:
            raise JournalError("it is closed", path=str(self.path))
        try:
            return await asyncio.wrap_future(self._thread.submit(work))
        except sqlite3.Error as error:
            raise _explained(error, self.path) from error


def _connect(path: Path, timeout: float) -> sqlite3.Connection:
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _create(path)
        # Autocommit: each statement is durable when it returns.
        connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        try:
            prepare(connection, timeout)
        except BaseException:
            connection.close()
            raise
    except OSError as error:
        raise JournalError(error.strerror or str(error), path=str(path)) from error
    except SchemaError as error:
        raise JournalError(str(error), path=str(path)) from error
    except sqlite3.Error as error:
        raise _explained(error, path) from error
    return connection


def _create(path: Path) -> None:
    """Make an empty file that only its owner can read, if there is none.

    SQLite would make it readable for all; its companions (-wal, -shm) take over the file's mode. The file is
    not opened under its own name: closing any descriptor of it would drop the locks that another connection
    of this process holds.
    """
    if path.exists():
        return
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=".journal-")
    os.close(descriptor)
    try:
        with contextlib.suppress(FileExistsError):
            os.link(temporary, path)
    finally:
        Path(temporary).unlink()


def _close_late(opened: Callable[[], sqlite3.Connection]) -> None:
    try:
        connection = opened()
    except JournalError:
        return
    connection.close()


def _explained(error: sqlite3.Error, path: Path) -> JournalError:
    code = getattr(error, "sqlite_errorname", "")
    remedy = {
        "SQLITE_FULL": "free some space and start again: nothing that was written before is lost",
        "SQLITE_CORRUPT": "the file is damaged; move it away, and look for what its runs have left behind",
        "SQLITE_NOTADB": "it is not a journal; move it away or name another state directory",
        "SQLITE_READONLY": "the file or its folder can't be written to",
        "SQLITE_BUSY": "another program keeps it locked",
    }.get("_".join(code.split("_")[:2]))
    told = f"{error} ({remedy})" if remedy else f"{error} {code}".strip()
    return JournalError(told, path=str(path))


def _now() -> str:
    return datetime.now(UTC).isoformat()
