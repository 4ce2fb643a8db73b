"""How many runs there are is known without looking, and is what the file says."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.daemon.intake import Intake
from orchestrator.daemon.records import NewRun
from orchestrator.errors import JournalError
from orchestrator.states import RunOutcome

SPEC = msgspec.json.encode({"id": "j", "download_dir": "/results/r"})
STEPS = ("accept", "begin", "cancel", "finish", "fail", "forget", "open again")


def in_the_file(path: Path) -> dict[str, int]:
    connection = sqlite3.connect(path)
    try:
        return dict(
            connection.execute("SELECT coalesce(outcome, phase), count(*) FROM runs GROUP BY outcome, phase")
        )
    finally:
        connection.close()


async def take(step: str, run_id: str, intake: Intake) -> None:
    known = await intake.get(run_id) is not None
    match step:
        case "accept" if not known:
            await intake.accept(NewRun(run_id=run_id, job_id="j", spec=SPEC, idempotency_key=run_id))
        case "begin" if known:
            await intake.begun(run_id)
        case "cancel":
            await intake.cancelled(run_id, "why")
        case "finish":
            await intake.finished(run_id, outcome=RunOutcome.SUCCEEDED)
        case "fail":
            await intake.finished(run_id, outcome=RunOutcome.ERROR)
        case "forget":
            await intake.forget(run_id)
        case _:
            pass


@given(st.lists(st.tuples(st.sampled_from(STEPS), st.sampled_from("abc")), max_size=25))
def test_runs_are_counted_as_the_file_has_them_whatever_becomes_of_them(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, str]]
) -> None:
    path = tmp_path_factory.mktemp("counts") / "daemon.sqlite"

    async def main() -> None:
        intake = await Intake.open(path, timeout=1.0)
        for step, run_id in steps:
            if step == "open again":
                await intake.close()
                intake = await Intake.open(path, timeout=1.0)
            await take(step, run_id, intake)
            assert intake.counts == in_the_file(path)
        await intake.close()

    asyncio.run(main())


@pytest.fixture
async def intake(tmp_path: Path) -> AsyncIterator[Intake]:
    intake = await Intake.open(tmp_path / "daemon.sqlite", timeout=0.01)
    yield intake
    await intake.close()


async def test_the_same_wish_once_more_is_no_other_run(intake: Intake) -> None:
    new = NewRun(run_id="r", job_id="j", spec=SPEC, idempotency_key="key", body_hash="hash")
    await intake.accept(new)
    await intake.accept(msgspec.structs.replace(new, run_id="r2"))
    assert intake.counts == {"queued": 1}


async def test_what_could_not_be_written_is_not_counted(intake: Intake) -> None:
    await intake.accept(NewRun(run_id="r", job_id="j", spec=SPEC))
    other = sqlite3.connect(intake.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(JournalError):
        await intake.finished("r", outcome=RunOutcome.SUCCEEDED)
    other.execute("ROLLBACK")
    other.close()
    assert intake.counts == {"queued": 1}
