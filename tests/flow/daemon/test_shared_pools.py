from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from orchestrator import JobRun, Orchestrator
from orchestrator.spec import parse_job
from tests.acceptance.daemon.daemons import JOB
from tests.conformance.waiting import until
from tests.flow.conftest import FAST


def wish(name: str, command: str, **changes: Any) -> dict[str, Any]:
    pool = {**JOB["pool"], "id": "together"}
    return {**JOB, "id": name, "pool": pool, "tasks": [{"id": "t", "command_line": command}], **changes}


async def begun(orchestrator: Orchestrator, folder: Path, name: str, command: str, **changes: Any) -> JobRun:
    job = parse_job(wish(name, command, **changes), base_dir=folder, where="job")
    return await orchestrator.submit(job)


async def pools(orchestrator: Orchestrator) -> list[str]:
    return [pool.id for pool in await orchestrator.account.batch.list_pools() if pool.id == "together"]


@pytest.mark.parametrize("first_is_shorter", [True, False])
async def test_two_runs_at_once_share_a_pool_and_the_last_one_deletes_it(
    tmp_path: Path, service: Path, *, first_is_shorter: bool
) -> None:
    gate = tmp_path / "gate"
    waits = f"/bin/sh -c 'while [ ! -e {gate} ]; do sleep 0.1; done'"
    async with Orchestrator.local(env_file=service, limits=FAST, journal_dir=tmp_path) as orchestrator:
        one, other = ("true", waits) if first_is_shorter else (waits, "true")
        first = await begun(orchestrator, tmp_path, "first-{run}", one)
        second = await begun(orchestrator, tmp_path, "second-{run}", other)
        await until(lambda: first.progress.tasks, "the first has its tasks")
        await until(lambda: second.progress.tasks, "the second has its tasks")
        shorter, longer = (first, second) if first_is_shorter else (second, first)
        early = await shorter.wait()
        assert (early.outcome, early.leftovers) == ("succeeded", ())
        assert await pools(orchestrator) == ["together"]
        gate.touch()
        late = await longer.wait()
        assert (late.outcome, late.leftovers) == ("succeeded", ())
        assert await pools(orchestrator) == []
        assert await orchestrator.journal.owed() == ()
