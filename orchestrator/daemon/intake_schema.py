"""The tables of the daemon's own file, and how older ones become newer ones."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

from orchestrator.errors import JournalError

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
STEPS = (_VERSION_1, _FROM_1_TO_2, _FROM_2_TO_3)
"""What leads from each version to the next; a new file takes all of them."""
_VERSION = len(STEPS)


def connect(path: Path, timeout: float) -> sqlite3.Connection:
    """Open the file, making it, or bringing it up to this version, if need be. Blocks.

    Args:
        path: of the file; its folder exists.
        timeout: seconds that another program may keep it locked.

    Raises:
        sqlite3.Error: it can't be read or written.
        JournalError: it was written by a newer version.
    """
    # Made here with its mode: SQLite would make it readable for all; its companions take over the mode.
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=timeout)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        _check_version(version, path)
        if steps := "".join(STEPS[version:]):
            connection.executescript(f"BEGIN; {steps} PRAGMA user_version = {_VERSION}; COMMIT;")
    except BaseException:
        connection.close()
        raise
    return connection


def _check_version(version: int, path: Path) -> None:
    if version > _VERSION:
        raise JournalError(
            f"a newer version of the daemon wrote it (schema {version}): use that version, or another "
            "state directory",
            path=str(path),
        )
