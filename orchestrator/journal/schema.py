"""The journal's tables, how older ones become newer ones, and the refusal of what is not understood."""

from __future__ import annotations

import sqlite3
import time

SCHEMA_VERSION = 2
"""Kept in the file's `user_version`; raised by every change of the tables."""

_APPLICATION_ID = 0x4F524348  # "ORCH": tells our file from any other database
_BUSY_PAUSE = 0.02
# A checkpoint costs two waits for the disk; 16 MiB of pages lie between two of them.
_CHECKPOINT_PAGES = 4096
_VERSION_1 = """
CREATE TABLE runs (
    run_id TEXT PRIMARY KEY,
    job_id TEXT NOT NULL,
    pool_id TEXT NOT NULL,
    account TEXT NOT NULL,
    state TEXT NOT NULL,
    outcome TEXT,
    started_at TEXT NOT NULL,
    ended_at TEXT
);
CREATE TABLE owed (
    number INTEGER PRIMARY KEY,
    run_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    id TEXT NOT NULL,
    since TEXT NOT NULL,
    UNIQUE (run_id, kind, id)
);
"""
# Runs get a number, which stands for the run in the rows that are many. A program of version 1 that has the
# file open meanwhile finds all its columns still there.
_FROM_1_TO_2 = """
CREATE TABLE runs_2 (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    run_id TEXT NOT NULL UNIQUE,
    job_id TEXT NOT NULL,
    pool_id TEXT NOT NULL,
    account TEXT NOT NULL,
    endpoint TEXT NOT NULL DEFAULT '',
    fingerprint TEXT NOT NULL DEFAULT '',
    state TEXT NOT NULL,
    outcome TEXT,
    started_at TEXT NOT NULL,
    ended_at TEXT,
    plan BLOB
);
INSERT INTO runs_2 (run_id, job_id, pool_id, account, state, outcome, started_at, ended_at)
    SELECT run_id, job_id, pool_id, account, state, outcome, started_at, ended_at FROM runs ORDER BY rowid;
DROP TABLE runs;
ALTER TABLE runs_2 RENAME TO runs;
CREATE INDEX runs_by_state ON runs (state);
CREATE TABLE events (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    run INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    event TEXT NOT NULL,
    body TEXT NOT NULL,
    UNIQUE (run, sequence)
);
CREATE TABLE intents (
    number INTEGER PRIMARY KEY,
    run INTEGER NOT NULL,
    task_ids TEXT NOT NULL
);
CREATE INDEX intents_by_run ON intents (run);
CREATE TABLE cursors (
    run INTEGER NOT NULL,
    handler TEXT NOT NULL,
    sequence INTEGER NOT NULL,
    PRIMARY KEY (run, handler)
) WITHOUT ROWID;
CREATE TABLE results (
    run INTEGER NOT NULL,
    number INTEGER NOT NULL,
    body TEXT NOT NULL,
    UNIQUE (run, number)
);
"""
_STEPS = (_VERSION_1, _FROM_1_TO_2)
"""What leads from each version to the next; a new file takes all of them."""


class SchemaError(Exception):
    """The file is no journal, or one of a newer version."""


def prepare(connection: sqlite3.Connection, timeout: float) -> None:
    """Make the tables in a new file, or bring those of an existing one up to this version.

    Args:
        connection: in autocommit mode.
        timeout: seconds that another program may keep it locked, now and at each later use.

    Raises:
        SchemaError: it is no journal, or was written by a newer version.
        sqlite3.Error: it can't be read or written.
    """
    connection.execute(f"PRAGMA busy_timeout = {timeout * 1000:.0f}")
    _switch_to_wal(connection, timeout)
    # What is owed must be on the disk before the creation is sent, also when the machine loses power.
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT_PAGES}")
    # Two programs may open a new file at the same time: the second waits here and finds the tables.
    connection.execute("BEGIN IMMEDIATE")
    try:
        _prepare(connection)
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def _switch_to_wal(connection: sqlite3.Connection, timeout: float) -> None:
    # Of two programs that do this to a new file at the same time SQLite refuses one at once, busy timeout or
    # not. This runs in the journal's own thread, which may wait.
    deadline = time.monotonic() + timeout
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(_BUSY_PAUSE)
        else:
            return


def _prepare(connection: sqlite3.Connection) -> None:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if tables and application != _APPLICATION_ID:
        raise SchemaError("it is a database, but no journal of the orchestrator's")
    if version > SCHEMA_VERSION:
        raise SchemaError(
            f"a newer version of the orchestrator wrote it (schema {version}, known here: {SCHEMA_VERSION}):"
            " use that version, or another state directory"
        )
    if version == SCHEMA_VERSION:
        return
    for step in _STEPS[version if tables else 0 :]:
        for statement in filter(str.strip, step.split(";")):
            connection.execute(statement)
    connection.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
