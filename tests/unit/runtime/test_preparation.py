"""What comes before the tasks, when somebody else works on the same things."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import anyio
import pytest

from orchestrator.accounts.batch import Creation
from orchestrator.accounts.quota_line import QuotaLine
from orchestrator.errors import NotFoundError, PoolError
from orchestrator.events import Event, StagingStarted
from orchestrator.limits import Limits
from orchestrator.runtime.history import RunHistory
from orchestrator.runtime.preparation import RunPreparation
from orchestrator.spec import parse_job, plan_run
from orchestrator.spec.marks import RUN_KEY
from orchestrator.states import AllocationState, JobSnapshot, JobState, PoolSnapshot, PoolState


class SharedPool:
    """A Batch account with a pool that its creator deletes just before the job is created; and a ledger."""

    def __init__(self) -> None:
        self.state = PoolState.ACTIVE
        self.waiting = QuotaLine(interval=1)
        self.owed: list[tuple[str, str]] = []

    async def get_job(self, job_id: str) -> JobSnapshot:
        raise NotFoundError(operation=f"get job {job_id}", status=404, code="JobNotFound")

    async def get_pool(self, pool_id: str) -> PoolSnapshot:
        return PoolSnapshot(
            id=pool_id, state=self.state, allocation_state=AllocationState.STEADY, target_dedicated_nodes=1
        )

    async def create_job(self, body: Mapping[str, Any]) -> Creation:
        self.state = PoolState.DELETING
        return Creation.CREATED

    async def create_container(self, name: str, *, metadata: Mapping[str, str]) -> bool:
        return True

    async def keep_open(self, container: str, access: object, *, lifetime: float, least: float) -> None:
        assert 0 < least < lifetime

    async def wait_until_open(self, container: str, access: object) -> None:
        await anyio.sleep_forever()  # whoever waits for it must not keep the pool's news waiting

    async def owe(self, kind: str, resource_id: str) -> None:
        self.owed.append((kind, resource_id))

    async def owner(self) -> str:
        return "machine-1"

    async def settle(self, kind: str, resource_id: str) -> None:
        self.owed.remove((kind, resource_id))


async def test_a_pool_that_its_creator_deletes_meanwhile_is_told_before_tasks_wait_for_it(
    tmp_path: Path,
) -> None:
    service = SharedPool()
    told: list[Event] = []

    async def publish(*events: Event) -> None:
        told.extend(events)

    wanted = {"id": "j", "pool": {"id": "shared"}, "tasks": [{"id": "t", "command_line": "true"}]}
    preparation = RunPreparation(
        plan=plan_run(parse_job(wanted, base_dir=tmp_path, where="job"), "r-1"),
        account=SimpleNamespace(batch=service, storage=service),  # type: ignore[arg-type]
        ledger=service,
        publish=publish,
        limits=Limits(),
        environ={},
    )
    with closing(preparation):
        await preparation.stage()
        with pytest.raises(PoolError, match=r"pool shared: is being deleted: somebody deleted it"):
            await preparation.provision()
    assert ("job", "j") in service.owed


class OwnJob(SharedPool):
    """An account that has the run's job, and containers that are opened; the application's may be gone."""

    def __init__(self, *, gone: bool) -> None:
        super().__init__()
        self.gone = gone
        self.longest_address = None
        self.opened: list[str] = []
        self.looked = anyio.Event()

    async def get_job(self, job_id: str) -> JobSnapshot:
        return JobSnapshot(id=job_id, state=JobState.ACTIVE, metadata=((RUN_KEY, "r-1"),))

    async def keep_open(self, container: str, access: object, *, lifetime: float, least: float) -> None:
        self.opened.append(container)
        if container == "app-1":
            self.looked.set()
            if self.gone:
                raise NotFoundError(operation="set access", status=404, code="ContainerNotFound")


@pytest.mark.parametrize("gone", [False, True])
async def test_a_run_that_is_taken_up_after_its_last_task_was_added_keeps_its_application_open_too(
    tmp_path: Path, gone: bool
) -> None:
    service, past = OwnJob(gone=gone), RunHistory()
    containers = ("in-r-1", "out-r-1", "app-1")
    past.take(StagingStarted(run_id="r-1", sequence=1, files=1, containers=containers))

    async def publish(*events: Event) -> None:
        pass

    wanted = {"id": "j", "pool": {"id": "shared"}, "tasks": [{"id": "t", "command_line": "true"}]}
    preparation = RunPreparation(
        plan=plan_run(parse_job(wanted, base_dir=tmp_path, where="job"), "r-1"),
        account=SimpleNamespace(batch=service, storage=service),  # type: ignore[arg-type]
        ledger=service,
        publish=publish,
        limits=Limits(),
        environ={},
        past=past,
    )
    with closing(preparation):
        await preparation.rejoin()
        assert service.opened == ["in-r-1", "out-r-1"]
        async with anyio.create_task_group() as group:
            group.start_soon(preparation.keep_access)
            with anyio.fail_after(5):
                await service.looked.wait()
            group.cancel_scope.cancel()
