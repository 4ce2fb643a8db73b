"""The state file: its tables, its version, and what is refused.

Written with `journal_mode=WAL` and `synchronous=NORMAL`: what is committed survives the death of the process
in any way, kill -9 included. A power failure may take the last commits with it, but never breaks the file.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

VERSION: Final = 1
_APPLICATION_ID: Final = 0x4F524C53
"""`ORLS`, by which a file that is something else is told from ours."""

_TABLES: Final = """
CREATE TABLE resources (
    kind TEXT, name TEXT, record BLOB NOT NULL, PRIMARY KEY (kind, name)
) WITHOUT ROWID;
CREATE TABLE tasks (
    job TEXT, sequence INTEGER, record BLOB NOT NULL, PRIMARY KEY (job, sequence)
) WITHOUT ROWID;
CREATE TABLE satisfied (
    job TEXT, task TEXT, PRIMARY KEY (job, task)
) WITHOUT ROWID;
"""
"""Records are MessagePack maps of the members that are not at their defaults: a member that is added to a
record later needs no migration, one that changes its meaning does. A kind of resource of its own (job
schedules, say) is a word in `resources.kind`."""

_MIGRATIONS: Final[Mapping[int, Callable[[sqlite3.Connection], None]]] = {}
"""By the version that they start from; each leads to the next one."""

_CHECKPOINT_PAGES: Final = 16_384
"""Of 4 KiB: a checkpoint waits for the disk, so it should be rare and large."""


class StateFileError(RuntimeError):
    """The file with the service's state can't be used; the message names it, and says why."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.reason = reason


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Have errors name the file.

    Args:
        path: of the file.

    Raises:
        StateFileError: for each of SQLite's.
    """
    try:
        yield
    except sqlite3.Error as error:
        raise StateFileError(path, str(error)) from error


def connect(path: Path) -> sqlite3.Connection:
    """Open the state file, made if it is not there, and bring it to this version; blocks.

    Args:
        path: of the file. Its folder is there.

    Returns:
        A connection for the calling thread that begins no transaction by itself.

    Raises:
        StateFileError: if it is broken, not ours, or of a later version.
    """
    try:
        # Commands and their secrets are in it.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    except OSError as error:
        raise StateFileError(path, error.strerror or str(error)) from error
    with naming(path):
        connection = sqlite3.connect(path, isolation_level=None)
        try:
            _check(connection, path)
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=NORMAL")
            connection.execute(f"PRAGMA wal_autocheckpoint={_CHECKPOINT_PAGES}")
            _migrate(connection)
        except BaseException:
            connection.close()
            raise
        return connection


def _check(connection: sqlite3.Connection, path: Path) -> None:
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    if application != _APPLICATION_ID and (application or tables):
        raise StateFileError(path, "it is no state file of the local service")
    if version > VERSION:
        raise StateFileError(
            path,
            f"it is of version {version}, and this program knows versions up to {VERSION}:"
            " use the newer program, or another state directory",
        )


def _migrate(connection: sqlite3.Connection) -> None:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version == VERSION:
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        if version == 0:
            for statement in filter(None, map(str.strip, _TABLES.split(";"))):
                connection.execute(statement)
        else:
            for start in range(version, VERSION):
                _MIGRATIONS[start](connection)
        connection.execute(f"PRAGMA application_id={_APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version={VERSION}")
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise
