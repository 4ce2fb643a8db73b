"""Opens the journal's file, and says in plain words what SQLite can't do with it."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import tempfile
from collections.abc import Callable
from pathlib import Path

from orchestrator.errors import JournalError
from orchestrator.journal.schema import SchemaError, prepare


def connect(path: Path, timeout: float) -> sqlite3.Connection:
    """Open the file for writing, making it and its tables if need be.

    Args:
        path: of the file.
        timeout: seconds that another program may keep it locked.

    Raises:
        JournalError: the file can't be read or written, is no journal, or was written by a newer version.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _create(path)
        # Autocommit: whoever wants several statements together says BEGIN.
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
        raise explained(error, path) from error
    return connection


def connect_for_reading(path: Path, timeout: float) -> sqlite3.Connection:
    """Open the file once more, for reading beside the writer.

    Args:
        path: of the file, which `connect` has opened before.
        timeout: seconds that another program may keep it locked.

    Raises:
        JournalError: the file can't be read.
    """
    try:
        connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        connection.execute(f"PRAGMA busy_timeout = {timeout * 1000:.0f}")
        connection.execute("PRAGMA query_only = ON")
    except sqlite3.Error as error:
        raise explained(error, path) from error
    return connection


def connect_twice(path: Path, timeout: float) -> tuple[sqlite3.Connection, sqlite3.Connection]:
    """Open the file for writing, and once more for reading; see `connect`."""
    writing = connect(path, timeout)
    try:
        return writing, connect_for_reading(path, timeout)
    except BaseException:
        writing.close()
        raise


def close_late(opened: Callable[[], tuple[sqlite3.Connection, sqlite3.Connection]]) -> None:
    """Close what was opened for somebody who does not want it any more.

    Args:
        opened: gives the connections, or raises what kept them from being opened.
    """
    try:
        connections = opened()
    except JournalError:
        return
    for connection in connections:
        connection.close()


def explained(error: sqlite3.Error, path: Path) -> JournalError:
    """What SQLite's error means for a user, and what to do."""
    code = getattr(error, "sqlite_errorname", "")
    remedy = {
        "SQLITE_FULL": "free some space and start again: nothing that was written before is lost",
        "SQLITE_IOERR": "the disk can't be read or written; see that it is sound and has space",
        "SQLITE_CORRUPT": "the file is damaged; move it away, and look for what its runs have left behind",
        "SQLITE_NOTADB": "it is not a journal; move it away or name another state directory",
        "SQLITE_READONLY": "the file or its folder can't be written to",
        "SQLITE_CANTOPEN": "the file or its folder can't be opened; see who may read and write them",
        "SQLITE_BUSY": "another program keeps it locked",
        "SQLITE_CONSTRAINT": "the run was never begun here, or another program writes the same run",
    }.get("_".join(code.split("_")[:2]))
    told = f"{error} ({remedy})" if remedy else f"{error} {code}".strip()
    return JournalError(told, path=str(path))


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
