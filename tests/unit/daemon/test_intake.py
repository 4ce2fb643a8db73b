from __future__ import annotations

import sqlite3
from pathlib import Path

import msgspec
import pytest

from orchestrator.daemon.intake import Intake
from orchestrator.daemon.intake_schema import STEPS
from orchestrator.daemon.records import NewRun, Phase

SPEC = msgspec.json.encode({"id": "j", "download_dir": "/results/r"})


async def test_a_run_that_begins_is_given_its_job_and_one_that_is_forgotten_has_none(tmp_path: Path) -> None:
    intake = await Intake.open(tmp_path / "daemon.sqlite", timeout=1.0)
    try:
        accepted, new = await intake.accept(NewRun(run_id="r", job_id="j", spec=SPEC))
        assert new
        assert accepted.results == Path("/results/r/j")
        assert await intake.begun("r") == SPEC
        begun = await intake.get("r")
        assert begun is not None
        assert begun.phase is Phase.RUNNING
        await intake.forget("r")
        with pytest.raises(LookupError):
            await intake.spec("r")
    finally:
        await intake.close()


async def test_what_an_earlier_version_wrote_down_is_all_there(tmp_path: Path) -> None:
    path = tmp_path / "daemon.sqlite"
    earlier = sqlite3.connect(path)
    earlier.executescript("".join(STEPS[:2]) + "PRAGMA user_version = 2;")
    earlier.execute(
        "INSERT INTO runs (run_id, job_id, submitter, priority, source, name, spec, phase, accepted_at)"
        " VALUES ('r', 'j', 'a', 3, 'http', 'job.toml', ?, 'queued', '2026-01-01T00:00:00+00:00')",
        (SPEC,),
    )
    earlier.commit()
    earlier.close()
    intake = await Intake.open(path, timeout=1.0)
    try:
        (record,) = await intake.unfinished()
        assert (record.run_id, record.priority, record.phase) == ("r", 3, Phase.QUEUED)
        assert record.results == Path("/results/r/j")
        assert await intake.spec("r") == SPEC
    finally:
        await intake.close()
