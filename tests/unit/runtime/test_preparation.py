"""What comes before the tasks, when somebody else works on the same things."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from orchestrator.accounts.batch import Creation
from orchestrator.errors import NotFoundError, PoolError
from orchestrator.events import Event
from orchestrator.limits import Limits
from orchestrator.runtime.preparation import RunPreparation
from orchestrator.spec import parse_job, plan_run
from orchestrator.states import AllocationState, JobSnapshot, PoolSnapshot, PoolState


class SharedPool:
    """A Batch account with a pool that its creator deletes just before the job is created; and a ledger."""

    def __init__(self) -> None:
        self.state = PoolState.ACTIVE
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
