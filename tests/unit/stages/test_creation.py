"""What a stage creates is known to clean-up, and what stands in its way is named."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from orchestrator.accounts.batch import Creation
from orchestrator.accounts.quota_line import QuotaLine
from orchestrator.errors import ConflictError, NotFoundError, PoolError
from orchestrator.events import Event, JobCreated, PoolCreated
from orchestrator.limits import Limits
from orchestrator.spec import parse_job, plan_run
from orchestrator.spec.marks import RUN_KEY
from orchestrator.stages.job import create_job, find_own_job
from orchestrator.stages.pool import PoolStage, still_there
from orchestrator.states import (
    AllocationState,
    JobSnapshot,
    JobState,
    PoolSnapshot,
    PoolState,
    SupportedImage,
)

IMPATIENT = Limits(deletion_timeout=0.001)
UBUNTU = {"publisher": "canonical", "offer": "ubuntu", "sku": "server"}
IMAGE = SupportedImage(
    publisher="canonical",
    offer="ubuntu",
    sku="server",
    version="latest",
    node_agent_sku_id="batch.node.ubuntu 24.04",
    os_type="linux",
    verified=True,
)
JOB = {"id": "j", "poolInfo": {"poolId": "p"}}


class Service:
    """A Batch account in memory, and the journal's record.

    Args:
        pool: the state of the pool that is there.
        job: the state of the job that is there.
        interrupted: cancelled when a creation arrives, which is carried out a moment later.
    """

    def __init__(
        self,
        *,
        pool: PoolState | None = None,
        job: JobState | None = None,
        interrupted: anyio.CancelScope | None = None,
    ) -> None:
        self.pool = pool
        self.job = job
        self.waiting = QuotaLine(interval=1)
        self.interrupted = interrupted
        self.job_metadata: tuple[tuple[str, str], ...] = ()
        self.owed: list[tuple[str, str]] = []
        self.told: list[type[Event]] = []

    async def supported_images(self) -> tuple[SupportedImage, ...]:
        return (IMAGE,)

    async def get_pool(self, pool_id: str) -> PoolSnapshot:
        await anyio.lowlevel.checkpoint()
        if self.pool is None:
            raise NotFoundError(operation="get pool", status=404, code="PoolNotFound")
        return PoolSnapshot(id=pool_id, state=self.pool, allocation_state=AllocationState.STEADY)

    async def get_job(self, job_id: str) -> JobSnapshot:
        await anyio.lowlevel.checkpoint()
        if self.job is None:
            raise NotFoundError(operation="get job", status=404, code="JobNotFound")
        return JobSnapshot(id=job_id, state=self.job, metadata=self.job_metadata)

    async def create_pool(self, body: Mapping[str, Any]) -> Creation:
        await self._on_the_way()
        self.pool = PoolState.ACTIVE
        return Creation.CREATED

    async def create_job(self, body: Mapping[str, Any]) -> Creation:
        await self._on_the_way()
        if self.job is not None:
            raise ConflictError(operation="create job", status=409, code="JobExists")
        self.job = JobState.ACTIVE
        return Creation.CREATED

    async def _on_the_way(self) -> None:
        if self.interrupted is not None:
            self.interrupted.cancel()
        await anyio.lowlevel.checkpoint()

    async def owe(self, kind: str, resource_id: str) -> None:
        self.owed.append((kind, resource_id))

    async def owner(self) -> str:
        return "machine-1"

    async def settle(self, kind: str, resource_id: str) -> None:
        self.owed.remove((kind, resource_id))

    async def publish(self, *events: Event) -> None:
        self.told.extend(type(event) for event in events)


def pool_stage(service: Service, folder: Path, limits: Limits) -> PoolStage:
    pool = {"id": "p", "vm_size": "small", "image": UBUNTU, "target_dedicated_nodes": 1}
    wanted = {"id": "j", "pool": pool, "tasks": [{"id": "t", "command_line": "true"}]}

    async def no_files(_: object) -> list[dict[str, Any]]:
        return []

    return PoolStage(
        plan=plan_run(parse_job(wanted, base_dir=folder, where="job"), "r-1"),
        batch=service,  # type: ignore[arg-type]  # the methods that the stage uses
        storage=None,  # type: ignore[arg-type]  # not used without an application
        ledger=service,
        publish=service.publish,
        limits=limits,
        start_command=None,
        start_environment={},
        application=None,
        start_files=no_files,
        job_lifetime=60.0,
    )


async def test_a_cancellation_waits_until_it_is_known_what_became_of_the_pool(tmp_path: Path) -> None:
    """A request that is given up may be carried out after clean-up has found nothing to delete."""
    with anyio.CancelScope() as scope:
        service = Service(interrupted=scope)
        await pool_stage(service, tmp_path, Limits()).ensure()
        await anyio.lowlevel.checkpoint()
    assert scope.cancelled_caught
    assert service.pool is PoolState.ACTIVE
    assert service.owed == [("pool", "p")]
    assert service.told == [PoolCreated]


async def test_a_cancellation_waits_until_it_is_known_what_became_of_the_job() -> None:
    with anyio.CancelScope() as scope:
        service = Service(interrupted=scope)
        await create_job(
            run_id="r-1",
            body=JOB,
            batch=service,  # type: ignore[arg-type]  # the methods that the stage uses
            ledger=service,
            publish=service.publish,
        )
        await anyio.lowlevel.checkpoint()
    assert scope.cancelled_caught
    assert service.job is JobState.ACTIVE
    assert service.owed == [("job", "j")]
    assert service.told == [JobCreated]


async def test_a_pool_that_takes_too_long_to_go_is_named(tmp_path: Path) -> None:
    with pytest.raises(PoolError, match=r"pool p: is being deleted and still there after 0\.001 s"):
        await pool_stage(Service(pool=PoolState.DELETING), tmp_path, IMPATIENT).ensure()


async def test_a_job_that_takes_too_long_to_go_is_named() -> None:
    service = Service(job=JobState.DELETING)
    with pytest.raises(
        ConflictError, match=r"job j is being deleted and still there after 0\.001 s"
    ) as raised:
        await find_own_job(
            job_id="j",
            run_id="r-1",
            batch=service,  # type: ignore[arg-type]  # the one method that the stage uses
            limits=IMPATIENT,
        )
    assert raised.value.code == "JobBeingDeleted"


async def test_a_job_that_names_the_run_is_its_own_and_any_other_is_in_the_way() -> None:
    service = Service(job=JobState.ACTIVE)
    service.job_metadata = ((RUN_KEY, "r-1"),)
    found = await find_own_job(job_id="j", run_id="r-1", batch=service, limits=IMPATIENT)  # type: ignore[arg-type]
    assert found is not None
    with pytest.raises(ConflictError, match=r"job j exists and is active"):
        await find_own_job(job_id="j", run_id="r-2", batch=service, limits=IMPATIENT)  # type: ignore[arg-type]


@pytest.mark.parametrize("run_id", ["r-1", "r-2"])
async def test_a_job_that_a_late_request_of_a_dead_program_made_is_taken_and_no_other(run_id: str) -> None:
    service = Service(job=JobState.ACTIVE)
    service.job_metadata = ((RUN_KEY, "r-1"),)
    creating = create_job(
        run_id=run_id,
        body=JOB,
        batch=service,  # type: ignore[arg-type]  # the methods that the stage uses
        ledger=service,
        publish=service.publish,
    )
    if run_id == "r-1":
        await creating
        assert (service.told, service.owed) == ([JobCreated], [("job", "j")])
    else:
        with pytest.raises(ConflictError):
            await creating
        assert (service.told, service.owed) == ([], [])


@pytest.mark.parametrize(("state", "told"), [(None, "is gone"), (PoolState.DELETING, "is being deleted")])
async def test_a_pool_that_went_away_under_the_new_job_is_told_at_once(
    state: PoolState | None, told: str
) -> None:
    with pytest.raises(PoolError, match=f"pool p: {told}"):
        await still_there(pool_id="p", batch=Service(pool=state))  # type: ignore[arg-type]


async def test_a_pool_that_is_there_is_enough() -> None:
    await still_there(pool_id="p", batch=Service(pool=PoolState.ACTIVE))  # type: ignore[arg-type]
