"""What can be read, each a function of a connection.

Rows that come by the thousand are gathered into one JSON array by SQLite: Python's lock is let go and has to
be won again for every row, which beside a busy loop takes milliseconds each time.
"""

from __future__ import annotations

import sqlite3
from datetime import datetime
from operator import attrgetter

import msgspec

from orchestrator.events import Event
from orchestrator.journal.event_json import decode_events, decode_results, names
from orchestrator.journal.records import Owed, RunRecord, StoredEvent
from orchestrator.results import TaskResult

_RUNS = """
    SELECT run_id, job_id, pool_id, account, endpoint, fingerprint, state, outcome, started_at, ended_at,
        (SELECT coalesce(max(sequence), 0) FROM events WHERE run = runs.number)
    FROM runs WHERE (?1 IS NULL OR run_id = ?1) AND (?2 IS NULL OR state = ?2)
        AND (?4 IS NULL OR job_id = ?4 COLLATE NOCASE)
    ORDER BY number DESC LIMIT ?3
"""
_EVENTS = """
    SELECT '[' || coalesce(group_concat(body), '') || ']' FROM (
        SELECT body FROM events
        WHERE run = (SELECT number FROM runs WHERE run_id = ?1) AND sequence > ?2
            AND (?3 IS NULL OR event IN (SELECT value FROM json_each(?3)))
        ORDER BY sequence LIMIT ?4
    )
"""
_ROWS_OF_ALL = """
    SELECT '[' || coalesce(group_concat(row), '') || ']' FROM (
        SELECT '[' || number || ',' || json_quote((SELECT run_id FROM runs WHERE runs.number = run)) || ','
            || sequence || ',' || json_quote(event) || ',' || body || ']' AS row
        FROM events WHERE number > ?1 ORDER BY number LIMIT ?2
    )
"""
# In one run the order of the sequences is that of the numbers, and there is an index for it. Whoever goes on
# after an event of the run itself, as listeners do, is spared looking at what came before.
_ROWS_OF_ONE = """
    SELECT '[' || coalesce(group_concat(row), '') || ']' FROM (
        SELECT '[' || number || ',' || json_quote(?3) || ',' || sequence || ',' || json_quote(event)
            || ',' || body || ']' AS row
        FROM events WHERE run = (SELECT number FROM runs WHERE run_id = ?3) AND number > ?1
            AND sequence > coalesce((SELECT sequence FROM events WHERE number = ?1
                AND run = (SELECT number FROM runs WHERE run_id = ?3)), 0)
        ORDER BY sequence LIMIT ?2
    )
"""
_CURSORS = """
    SELECT handler, sequence FROM cursors WHERE run = (SELECT number FROM runs WHERE run_id = ?)
"""
_INTENDED = """
    SELECT json_group_array(json(row)) FROM (
        SELECT json_array(number, json(task_ids)) AS row FROM intents
        WHERE run = (SELECT number FROM runs WHERE run_id = ?)
    )
"""
_RESULTS = """
    SELECT '[' || coalesce(group_concat('[' || number || ',' || body || ']'), '') || ']' FROM (
        SELECT number, body FROM results
        WHERE run = (SELECT number FROM runs WHERE run_id = ?) AND number > ? ORDER BY number LIMIT ?
    )
"""

_OWED = """
    SELECT '[' || coalesce(group_concat(row), '') || ']' FROM (
        SELECT json_array(
            number, json_object('run_id', run_id, 'kind', kind, 'resource_id', id, 'since', since)
        ) AS row
        FROM owed WHERE ?1 IS NULL OR run_id = ?1
    )
"""
_OWED_ROWS = msgspec.json.Decoder(list[tuple[int, Owed]])


class UnknownEventError(Exception):
    """An event is of a class that this version does not know."""


def runs(
    connection: sqlite3.Connection,
    *,
    run_id: str | None = None,
    state: str | None = None,
    job_id: str | None = None,
    limit: int = 1,
) -> tuple[RunRecord, ...]:
    """Runs, newest first: one, those in a state, those of a job, or all."""
    rows = connection.execute(_RUNS, (run_id, state, limit, job_id))
    return tuple(_record(row) for row in rows.fetchall())


def _record(row: tuple[str, ...]) -> RunRecord:
    run_id, job_id, pool_id, account, endpoint, fingerprint, state, outcome, started, ended, last = row
    return RunRecord(
        run_id=run_id,
        job_id=job_id,
        pool_id=pool_id,
        account=account,
        endpoint=endpoint,
        fingerprint=fingerprint,
        state=state,
        outcome=outcome,
        started_at=datetime.fromisoformat(started),
        ended_at=None if ended is None else datetime.fromisoformat(ended),
        last_sequence=int(last),
    )


def plan(connection: sqlite3.Connection, run_id: str) -> bytes | None:
    """The plan of a run."""
    found = connection.execute("SELECT plan FROM runs WHERE run_id = ?", (run_id,)).fetchone()
    return None if found is None or found[0] is None else bytes(found[0])


def events(
    connection: sqlite3.Connection, run_id: str, *, after: int, types: tuple[type[Event], ...], limit: int
) -> tuple[Event, ...]:
    """Events of a run after one of them."""
    wanted = msgspec.json.encode(names(types)).decode() if types and Event not in types else None
    (told,) = connection.execute(_EVENTS, (run_id, after, wanted, limit)).fetchone()
    try:
        found = decode_events(told)
    except msgspec.MsgspecError as error:
        raise UnknownEventError(
            f"an event of run {run_id} after number {after} was written by another version: {error}"
        ) from error
    # SQLite promises no order of what it gathers.
    return tuple(sorted(found, key=attrgetter("sequence")))


class _Row(msgspec.Struct, frozen=True, array_like=True):
    number: int
    run_id: str
    sequence: int
    event: str
    body: msgspec.Raw


_ROWS = msgspec.json.Decoder(list[_Row])


def stream_rows(
    connection: sqlite3.Connection, run_id: str | None, *, after: int, limit: int
) -> tuple[StoredEvent, ...]:
    """Events as they were written, after a number."""
    if run_id is None:
        (told,) = connection.execute(_ROWS_OF_ALL, (after, limit)).fetchone()
    else:
        (told,) = connection.execute(_ROWS_OF_ONE, (after, limit, run_id)).fetchone()
    return tuple(
        StoredEvent(
            number=row.number,
            run_id=row.run_id,
            sequence=row.sequence,
            event=row.event,
            body=bytes(row.body),
        )
        for row in sorted(_ROWS.decode(told), key=attrgetter("number"))
    )


def head(connection: sqlite3.Connection) -> int:
    """The highest number that an event was ever given."""
    found = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'events'").fetchone()
    return 0 if found is None else int(found[0])


def cursors(connection: sqlite3.Connection, run_id: str) -> dict[str, int]:
    """How far each handler of a run has come."""
    rows = connection.execute(_CURSORS, (run_id,))
    return {str(handler): int(sequence) for handler, sequence in rows.fetchall()}


def intended(connection: sqlite3.Connection, run_id: str) -> tuple[tuple[str, ...], ...]:
    """The tasks of each request of a run that may have been sent."""
    (told,) = connection.execute(_INTENDED, (run_id,)).fetchone()
    numbered = msgspec.json.decode(told, type=list[tuple[int, tuple[str, ...]]])
    return tuple(task_ids for _, task_ids in sorted(numbered))


def results(
    connection: sqlite3.Connection, run_id: str, *, after: int, limit: int
) -> tuple[tuple[int, TaskResult], ...]:
    """Results of a run after one of them."""
    (told,) = connection.execute(_RESULTS, (run_id, after, limit)).fetchone()
    return tuple(sorted(decode_results(told), key=lambda pair: pair[0]))


def owed(connection: sqlite3.Connection, run_id: str | None) -> tuple[Owed, ...]:
    """What is still owed, by one run or by all."""
    (told,) = connection.execute(_OWED, (run_id,)).fetchone()
    return tuple(one for _, one in sorted(_OWED_ROWS.decode(told), key=lambda pair: pair[0]))
