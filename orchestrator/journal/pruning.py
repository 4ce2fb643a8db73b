"""Forgets finished runs, a piece at a time."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime

# Rows deleted in one step: some 20 ms, which writers wait for.
_ROWS = 5_000
_FINISHED = (
    "FROM runs WHERE state = 'finished' AND NOT EXISTS (SELECT 1 FROM owed WHERE owed.run_id = runs.run_id)"
)
_LARGE = ("events", "results", "intents")


def prune_some(connection: sqlite3.Connection, before: datetime) -> tuple[bool, tuple[str, ...]]:
    """Take one step of forgetting, inside a transaction.

    Args:
        connection: inside a transaction.
        before: only runs that ended before this.

    Returns:
        Whether there is more to forget, and the runs that are gone now.
    """
    return _take_step(connection, "ended_at < ?", before.astimezone(UTC).isoformat())


def forget_some(connection: sqlite3.Connection, run_id: str) -> tuple[bool, tuple[str, ...]]:
    """Take one step of forgetting a run, inside a transaction.

    Args:
        connection: inside a transaction.
        run_id: of the run.

    Returns:
        Whether there is more to forget, and the run, once it is gone.
    """
    return _take_step(connection, "run_id = ?", run_id)


def _take_step(connection: sqlite3.Connection, which: str, value: str) -> tuple[bool, tuple[str, ...]]:
    """The rows of a run go before the run itself, so that one which dies half forgotten is found again."""
    found = connection.execute(f"SELECT number, run_id {_FINISHED} AND {which} LIMIT 1", (value,)).fetchone()
    if found is None:
        return False, ()
    number, run_id = found
    for table in _LARGE:
        # The names are ours; rowid is each table's own.
        deleted = connection.execute(
            f"DELETE FROM {table} WHERE rowid IN (SELECT rowid FROM {table} WHERE run = ? LIMIT {_ROWS})",  # noqa: S608
            (number,),
        ).rowcount
        if deleted == _ROWS:
            return True, ()
    connection.execute("DELETE FROM cursors WHERE run = ?", (number,))
    connection.execute("DELETE FROM runs WHERE number = ?", (number,))
    return True, (run_id,)
