"""What a run creates says in the service whose it is; what stays on purpose does not expire."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import anyio
import pytest

from orchestrator import JobSpec, Orchestrator, RunOutcome, TaskStarted
from orchestrator.accounts import Account, settings_from_environment
from orchestrator.limits import Limits
from orchestrator.runtime.garbage_collection import Fate, GarbageCollection
from orchestrator.spec.last_net import LastNet
from orchestrator.spec.marks import EXPIRES_KEY, OWNER_KEY, RUN_KEY, as_mark, expires_at, ownership_marks
from orchestrator.tracker.garbage import GarbageKind

Make = Callable[..., JobSpec]
PAST = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
async def account(service: Path) -> AsyncIterator[Account]:
    """The open account of the running service."""
    text = await anyio.Path(service).read_text()
    opened = Account(
        settings_from_environment(dict(line.split("=", 1) for line in text.splitlines())), Limits()
    )
    await opened.open()
    yield opened
    await opened.close()


async def marks_of(account: Account, run_id: str) -> dict[str, dict[str, str]]:
    """The metadata of everything that names a run, by kind and name."""
    found: dict[str, Any] = {f"job {job.id}": job.metadata for job in await account.batch.list_jobs()}
    found |= {f"pool {pool.id}": pool.metadata for pool in await account.batch.list_pools()}
    found |= {f"container {one.name}": one.metadata for one in await account.storage.containers.list()}
    return {thing: dict(told) for thing, told in found.items() if (RUN_KEY, run_id) in told}


async def test_everything_says_whose_it_is_and_expires_in_a_day(
    orchestrator: Orchestrator, job: Make, account: Account, tmp_path: Path
) -> None:
    (tmp_path / "tool.sh").write_text(f"echo {tmp_path}")
    started = anyio.Event()
    orchestrator.on(TaskStarted, lambda event: started.set())
    spec = job(application={"files": ["tool.sh"]}, tasks=[{"id": "t", "command_line": "sleep 3"}])
    async with orchestrator:
        run = await orchestrator.submit(spec)
        with anyio.fail_after(60):
            await started.wait()
        told = await marks_of(account, run.run_id)
        (pool,) = [one for one in await account.batch.list_pools() if one.id == f"pool-{run.run_id}"]
        assert (await run.wait()).outcome is RunOutcome.SUCCEEDED
    assert sorted(thing.split()[0] for thing in told) == ["container"] * 3 + ["job", "pool"]
    assert len({marks[OWNER_KEY] for marks in told.values()}) == 1
    soon = datetime.now(UTC) + timedelta(hours=23)
    assert all((expires_at(marks) or PAST) > soon for marks in told.values())
    assert LastNet.read(pool.body["autoScaleFormula"]) is not None
    assert (pool.target_dedicated_nodes, pool.current_dedicated_nodes) == (1, 1)


async def test_all_of_it_is_renewed_while_the_run_lives(
    service: Path, job: Make, account: Account, tmp_path: Path
) -> None:
    (tmp_path / "tool.sh").write_text(f"echo {tmp_path}")
    quick = Limits(ownership_lifetime=30, ownership_interval=1, deletion_poll_interval=0.05)
    orchestrator = Orchestrator.local(env_file=service, limits=quick, journal_dir=tmp_path / "journal")
    started = anyio.Event()
    orchestrator.on(TaskStarted, lambda event: started.set())
    spec = job(application={"files": ["tool.sh"]}, tasks=[{"id": "t", "command_line": "sleep 60"}])
    async with orchestrator:
        run = await orchestrator.submit(spec)
        with anyio.fail_after(60):
            await started.wait()
            before = await marks_of(account, run.run_id)
            assert len(before) == 5
            while True:
                now = await marks_of(account, run.run_id)
                if all(now[thing][EXPIRES_KEY] > marks[EXPIRES_KEY] for thing, marks in before.items()):
                    break
                await anyio.sleep(0.2)
        run.cancel("seen enough")
        await run.wait()
    assert await marks_of(account, run.run_id) == {}


async def test_what_never_goes_never_expires_and_has_no_net(
    orchestrator: Orchestrator, job: Make, account: Account
) -> None:
    kept = {"containers": "never", "job": "never", "pool": "never"}
    async with orchestrator:
        run = await orchestrator.submit(job(tasks=[{"id": "t", "command_line": "true"}], cleanup=kept))
        await run.wait()
    told = await marks_of(account, run.run_id)
    assert len(told) == 4
    assert not any(EXPIRES_KEY in marks for marks in told.values())
    assert (await account.batch.get_pool(f"pool-{run.run_id}")).body["enableAutoScale"] is False
    await account.batch.delete_pool(f"pool-{run.run_id}")


async def test_a_pool_that_stays_after_a_failure_stays_as_it_is(
    orchestrator: Orchestrator, job: Make, account: Account
) -> None:
    kept = {"containers": "on_success", "job": "always", "pool": "on_success"}
    async with orchestrator:
        run = await orchestrator.submit(job(tasks=[{"id": "t", "command_line": "exit 1"}], cleanup=kept))
        assert (await run.wait()).outcome is RunOutcome.TASKS_FAILED
    told = await marks_of(account, run.run_id)
    assert len(told) == 3
    assert not any(EXPIRES_KEY in marks for marks in told.values())
    pool = await account.batch.get_pool(f"pool-{run.run_id}")
    assert (pool.body["enableAutoScale"], pool.target_dedicated_nodes) == (False, 1)
    await account.batch.delete_pool(pool.id)


async def test_what_is_renewed_between_the_list_and_the_deletion_stays(account: Account) -> None:
    collection = GarbageCollection(account, limits=Limits(), grace=timedelta(minutes=15))
    marks = ownership_marks(run_id="renewed", job_id="j", owner="m-1", until=PAST)
    for name in ("gc-renewed", "gc-expired", "gc-gone"):
        await account.storage.create_container(name, metadata=marks)
    found = [one for one in await collection.find() if one.run_id == "renewed"]
    assert {one.id for one in found} == {"gc-renewed", "gc-expired", "gc-gone"}
    assert {one.kind for one in found} == {GarbageKind.CONTAINER}
    later = {**marks, EXPIRES_KEY: as_mark(datetime.now(UTC) + timedelta(hours=1))}
    await account.storage.containers.mark("gc-renewed", later.items())
    await account.storage.delete_container("gc-gone")
    fates = {one.garbage.id: one.fate for one in await collection.delete(found)}
    assert fates == {"gc-renewed": Fate.RENEWED, "gc-expired": Fate.DELETED, "gc-gone": Fate.GONE}
    assert [one.name for one in await account.storage.containers.list() if one.name.startswith("gc-")] == [
        "gc-renewed"
    ]
    await account.storage.delete_container("gc-renewed")
