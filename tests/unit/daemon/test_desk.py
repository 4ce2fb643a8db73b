"""What the desk tells of runs is as of now, whatever becomes of them while their records are read."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import pytest

from orchestrator.accounts.quota_line import QuotaLine
from orchestrator.daemon.desk import Desk
from orchestrator.daemon.intake import Intake
from orchestrator.daemon.records import NewRun, Phase, RunRecord
from orchestrator.errors import JournalError
from orchestrator.events import utc_now
from orchestrator.results import JobResult
from orchestrator.runtime.owner import Owner
from orchestrator.states import RunOutcome

pytestmark = pytest.mark.timeout(30)

SPEC = msgspec.json.encode({"id": "j", "download_dir": "/results"})
NOTHING = cast("Any", None)


class Run:
    """The runtime's hold on a run, which ends when it is told to."""

    def __init__(self) -> None:
        self.waited_for = asyncio.Event()
        self.ended = asyncio.Event()

    async def wait(self) -> JobResult:
        self.waited_for.set()
        await self.ended.wait()
        now = utc_now()
        return JobResult(
            run_id="r",
            job_id="j",
            pool_id="p",
            outcome=RunOutcome.SUCCEEDED,
            started_at=now,
            ended_at=now,
            download_dir=Path("/results"),
        )


class Runs:
    """Runs at a desk, and what happens just before the record of one is read for the next time."""

    def __init__(self, intake: Intake, owner: Owner) -> None:
        batch = SimpleNamespace(waiting=QuotaLine(interval=60))
        self.desk = Desk(
            intake=intake,
            orchestrator=cast("Any", SimpleNamespace(account=SimpleNamespace(batch=batch))),
            acceptance=NOTHING,
            tables=NOTHING,
            owner=owner,
            room=NOTHING,
            environ={},
        )
        self.before_reading: dict[str, Callable[[], Awaitable[None]]] = {}
        self._intake, self._get, self._finished = intake, intake.get, intake.finished
        self.fails_to_write = 0
        self._runs: dict[str, Run] = {}

    async def read(self, run_id: str) -> RunRecord | None:
        happens = self.before_reading.pop(run_id, None)
        if happens is not None:
            await happens()
        return await self._get(run_id)

    async def finished(self, run_id: str, **told: Any) -> None:
        if self.fails_to_write:
            self.fails_to_write -= 1
            raise JournalError("the disk is full", path="daemon.sqlite")
        await self._finished(run_id, **told)

    async def line_up(self, *names: str) -> tuple[RunRecord, ...]:
        records = [
            (await self._intake.accept(NewRun(run_id=name, job_id=name, spec=SPEC)))[0] for name in names
        ]
        for record in records:
            self.desk.queue(record)
        return tuple(records)

    async def begin(self, *records: RunRecord) -> None:
        for record in records:
            await self._intake.begun(record.run_id)
            run = self._runs[record.run_id] = Run()
            self.desk.adopt(record, cast("Any", run))
            await run.waited_for.wait()

    async def end(self, run_id: str) -> None:
        self._runs[run_id].ended.set()
        while self.desk.job_run(run_id) is not None:  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0)

    async def phases(self, records: tuple[RunRecord, ...]) -> dict[str, Phase]:
        return {record.run_id: record.phase for record in await self.desk.current(records)}


@pytest.fixture
async def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Runs]:
    intake = await Intake.open(tmp_path / "daemon.sqlite", timeout=1.0)
    owner = Owner()
    await owner.open()
    runs = Runs(intake, owner)
    monkeypatch.setattr(intake, "get", runs.read)
    monkeypatch.setattr(intake, "finished", runs.finished)
    monkeypatch.setattr("orchestrator.daemon.desk._WRITE_AGAIN", 0.0)
    try:
        yield runs
    finally:
        await owner.close()
        await intake.close()


async def test_a_run_that_ends_while_the_records_of_others_are_read_is_shown_as_ended(runs: Runs) -> None:
    records = await runs.line_up("a", "b")
    await runs.begin(*records)
    # Both records say that they wait, so both are read again; the one that is read first ends after that.
    order: list[str] = []

    async def read(run_id: str) -> None:
        order.append(run_id)
        if len(order) == len(records):
            await runs.end(order[0])

    for record in records:
        runs.before_reading[record.run_id] = partial(read, record.run_id)
    assert (await runs.phases(records))[order[0]] is Phase.FINISHED


async def test_a_run_whose_beginning_is_not_written_down_yet_waits(runs: Runs) -> None:
    (record,) = records = await runs.line_up("a")
    runs.desk.adopt(record, cast("Any", Run()))
    assert await runs.phases(records) == {"a": Phase.QUEUED}


async def test_a_run_that_was_left_to_the_journal_goes_on(runs: Runs) -> None:
    records = await runs.line_up("a")
    await runs.begin(*records)
    begun = await runs.desk.current(records)
    runs.desk.left = True
    await runs.end("a")
    assert await runs.phases(begun) == {"a": Phase.RUNNING}


async def test_a_run_that_left_the_line_is_over_even_if_its_end_could_not_be_written_at_once(
    runs: Runs,
) -> None:
    records = await runs.line_up("a")
    runs.fails_to_write = 1
    told = await runs.desk.cancel("a", "no longer wanted")
    assert runs.fails_to_write == 0
    assert told.phase is Phase.FINISHED
    assert told.outcome is RunOutcome.CANCELLED
    assert await runs.phases(records) == {"a": Phase.FINISHED}
