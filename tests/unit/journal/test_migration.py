"""A journal of an older version is taken over with everything in it."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from orchestrator.errors import JournalError
from orchestrator.journal import SCHEMA_VERSION, Journal
from tests.unit.journal.runs import events

VERSION_1 = """
CREATE TABLE runs (
    run_id TEXT PRIMARY KEY, job_id TEXT NOT NULL, pool_id TEXT NOT NULL, account TEXT NOT NULL,
    state TEXT NOT NULL, outcome TEXT, started_at TEXT NOT NULL, ended_at TEXT
);
CREATE TABLE owed (
    number INTEGER PRIMARY KEY, run_id TEXT NOT NULL, kind TEXT NOT NULL, id TEXT NOT NULL,
    since TEXT NOT NULL, UNIQUE (run_id, kind, id)
);
INSERT INTO runs VALUES
    ('old', 'j1', 'p1', 'a1', 'finished', 'succeeded',
        '2026-01-02T03:04:05+00:00', '2026-01-02T04:04:05+00:00'),
    ('new', 'j2', 'p2', 'a2', 'running', NULL, '2026-01-03T03:04:05+00:00', NULL);
INSERT INTO owed (run_id, kind, id, since) VALUES
    ('new', 'pool', 'p2', '2026-01-03T03:04:05+00:00'),
    ('old', 'container', 'c', '2026-01-02T03:04:05+00:00');
PRAGMA application_id = 0x4F524348;
PRAGMA user_version = 1;
PRAGMA journal_mode = WAL;
"""


@pytest.fixture
def old(path: Path) -> Path:
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(VERSION_1)
    return path


async def test_a_journal_of_version_1_keeps_its_runs_and_debts_and_takes_events(old: Path) -> None:
    journal = await Journal.open(old)
    newer, older = await journal.runs()
    assert (newer.run_id, newer.job_id, newer.pool_id, newer.account) == ("new", "j2", "p2", "a2")
    assert (newer.state, newer.outcome, newer.ended_at) == ("running", None, None)
    assert (newer.endpoint, newer.fingerprint, newer.last_sequence) == ("", "", 0)
    assert (older.run_id, older.outcome) == ("old", "succeeded")
    assert older.started_at == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert [(owed.run_id, owed.resource_id) for owed in await journal.owed()] == [("new", "p2"), ("old", "c")]
    assert await journal.plan("old") is None
    await journal.record(events(3, run="new"))
    await journal.close()
    journal = await Journal.open(old)
    assert len(await journal.events("new")) == 3
    await journal.close()
    with closing(sqlite3.connect(old)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (SCHEMA_VERSION,)


async def test_two_programs_may_take_an_old_journal_over_at_the_same_time(old: Path) -> None:
    journals = await asyncio.gather(*(Journal.open(old) for _ in range(4)))
    for number, journal in enumerate(journals):
        await journal.record(events(2, after=2 * number, run="new"))
    assert len(await journals[0].events("new")) == 8
    await asyncio.gather(*(journal.close() for journal in journals))


async def test_taking_over_that_fails_leaves_the_old_journal_as_it_was(old: Path) -> None:
    with closing(sqlite3.connect(old)) as connection:
        # In the way of the last step.
        connection.execute("CREATE TABLE results (theirs)")
    with pytest.raises(JournalError, match="results already exists"):
        await Journal.open(old)
    with closing(sqlite3.connect(old)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (1,)
        assert connection.execute("SELECT count(*) FROM runs").fetchone() == (2,)
        connection.execute("DROP TABLE results")
    journal = await Journal.open(old)
    assert len(await journal.runs()) == 2
    await journal.close()
