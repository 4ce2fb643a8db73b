"""A pool whose orchestrator never comes back does its work, and goes to nothing by itself."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import anyio
import pytest

from orchestrator.accounts import Account, settings_from_environment
from orchestrator.limits import Limits
from orchestrator.local import LocalService
from orchestrator.local.batch.autoscaling import AutoscalePace
from orchestrator.spec.last_net import LastNet
from orchestrator.states import PoolSnapshot
from tests.faults.test_garbage import ExpiringRun

PACE = AutoscalePace(sampling=0.1, shortest_interval=0.0, enable_pause=0.0)


@pytest.fixture
async def env_file(tmp_path: Path) -> AsyncIterator[Path]:
    """The settings of a local service that runs formulas several times a second."""
    async with LocalService(state_dir=tmp_path / "service", autoscale_pace=PACE) as service:
        service.settings.write_env_file(tmp_path / "settings.env")
        yield tmp_path / "settings.env"


@pytest.fixture
async def account(env_file: Path) -> AsyncIterator[Account]:
    text = await anyio.Path(env_file).read_text()
    told = dict(line.split("=", 1) for line in text.splitlines())
    opened = Account(settings_from_environment(told), Limits())
    await opened.open()
    yield opened
    await opened.close()


async def pool_when(account: Account, wanted: Callable[[PoolSnapshot], bool]) -> PoolSnapshot:
    """Look at the pool until it is as wanted."""
    with anyio.fail_after(60):
        while True:
            if wanted(pool := await account.batch.get_pool("p")):
                return pool
            await anyio.sleep(0.1)


def net_of(pool: PoolSnapshot) -> LastNet:
    net = LastNet.read(pool.body.get("autoScaleFormula"))
    assert net is not None
    return net


async def test_a_pool_that_nobody_stands_for_any_more_does_its_work_and_goes_to_nothing(
    env_file: Path, account: Account, tmp_path: Path
) -> None:
    with ExpiringRun(env_file, tmp_path / "run", "p", seconds=8, net_interval=0.2) as run:
        await anyio.to_thread.run_sync(run.reach, "SubmissionCompleted")
        cast = net_of(await pool_when(account, lambda pool: True))
        # Renewed while the program lives: its own three seconds would not do.
        await pool_when(account, lambda pool: net_of(pool).until > cast.until)
        await anyio.to_thread.run_sync(run.crash)
    (job,) = await account.batch.list_jobs()
    pool = await pool_when(account, lambda pool: pool.current_dedicated_nodes == 0)
    counts = await account.batch.task_counts(job.id)
    assert (counts.completed, counts.succeeded) == (2, 2)
    assert (pool.target_dedicated_nodes, pool.body["enableAutoScale"]) == (0, True)
