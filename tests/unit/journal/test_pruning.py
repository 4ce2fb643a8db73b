"""What is over for long is forgotten, and nothing that is owed ever is."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

from orchestrator.journal import Journal
from orchestrator.results import TaskResult
from orchestrator.states import TaskKey
from tests.unit.journal.runs import begin, events, opened


async def full(journal: Journal, *run_ids: str) -> None:
    await begin(journal, *run_ids)
    for run in run_ids:
        await journal.record(events(25, run=run))
        await journal.intend(run, ["t"])
        await journal.move_cursor(run, "h", 1)
        await journal.keep_result(run, 1, TaskResult(key=TaskKey("j", "t")))
        (await journal.hold(run)).release()


def rows(path: Path) -> dict[str, int]:
    tables = ("runs", "events", "intents", "cursors", "results")
    with closing(sqlite3.connect(path)) as connection:
        return {table: connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in tables}


async def test_finished_runs_are_forgotten_with_everything_and_others_stay(path: Path) -> None:
    async with opened(path) as journal:
        await full(journal, "over", "running", "owing", "over too")
        await journal.record(events(12_000, after=25, run="over"))  # more than one step's worth
        for run in ("over", "owing", "over too"):
            await journal.finish_run(run, outcome="succeeded")
        await journal.owe("owing", "pool", "p")
        newest = (await journal.stream_rows(run_id=None, after=0, limit=20_000))[-1].number
        assert await journal.prune(before=datetime.now(UTC) - timedelta(hours=1)) == 0
        assert len(await journal.runs()) == 4
        assert await journal.prune(before=datetime.now(UTC) + timedelta(hours=1)) == 2
        assert [run.run_id for run in await journal.runs()] == ["owing", "running"]
        assert await journal.events("over") == ()
        assert await journal.run("over") is None
        assert len(await journal.events("owing")) == 25
        assert rows(path) == {"runs": 2, "events": 50, "intents": 2, "cursors": 2, "results": 2}
        locks = {file.name for file in path.with_name("journal.sqlite.locks").iterdir()}
        assert locks == {"running.lock", "owing.lock"}
        # Numbers are never given again.
        await journal.record(events(1, after=25, run="running"))
        assert (await journal.stream_rows(run_id=None, after=newest))[0].number == newest + 1
        await begin(journal, "over")
        assert await journal.events("over") == ()


async def test_a_run_that_owes_nothing_any_more_is_forgotten_later(path: Path) -> None:
    later = datetime.now(UTC) + timedelta(hours=1)
    async with opened(path) as journal:
        await full(journal, "r")
        await journal.owe("r", "pool", "p")
        await journal.finish_run("r", outcome="error")
        assert await journal.prune(before=later) == 0
        await journal.settle("r", "pool", "p")
        assert await journal.prune(before=later) == 1
    assert set(rows(path).values()) == {0}


async def test_unfinished_runs_are_found_newest_first(path: Path) -> None:
    async with opened(path, "a", "b", "c") as journal:
        await journal.finish_run("b", outcome="error")
        assert [run.run_id for run in await journal.runs(unfinished=True)] == ["c", "a"]
        assert [run.run_id for run in await journal.runs(limit=2)] == ["c", "b"]
        run = await journal.run("b")
        assert run is not None
        assert (run.state, run.outcome) == ("finished", "error")
        assert run.ended_at is not None


async def test_a_plan_stays_when_its_run_begins_again_without_one(path: Path) -> None:
    async with opened(path) as journal:
        await journal.begin_run(
            "r",
            job_id="j",
            pool_id="p",
            account="a",
            endpoint="https://e",
            fingerprint="f",
            plan=b'{"a":1}',
        )
        await begin(journal, "r")
        run = await journal.run("r")
        assert run is not None
        assert (run.endpoint, run.fingerprint) == ("https://e", "f")
        assert await journal.plan("r") == b'{"a":1}'
        await journal.begin_run("r", job_id="j", pool_id="p", account="a", plan=b"{}")
        assert await journal.plan("r") == b"{}"
