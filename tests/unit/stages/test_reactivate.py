"""Tasks that failed together are asked to run again together, each once, and one that may not is over."""

from __future__ import annotations

from datetime import UTC, datetime

import anyio
import anyio.lowlevel

from orchestrator.errors import ConflictError, UnreachableError
from orchestrator.events import Event, TaskRequeued
from orchestrator.limits import Limits
from orchestrator.stages.reactivate import Reactivation
from orchestrator.states import FailureClass, FailureInfo, TaskSnapshot, TaskState
from orchestrator.tracker import Retries, TaskTracker

LOST = FailureInfo(category="servererror", code="NodeLost", message="gone")


class Service:
    """Reactivates tasks, and counts; some it refuses, and of some it says nothing."""

    def __init__(self, *, refused: str = "", silent: str = "") -> None:
        self.refused = refused
        self.silent = silent
        self.asked: list[str] = []
        self.now = self.most = 0

    @property
    def care(self) -> Service:
        return self

    async def reactivate_task(self, job_id: str, task_id: str) -> None:
        self.asked.append(task_id)
        self.now += 1
        self.most = max(self.most, self.now)
        await anyio.lowlevel.checkpoint()
        self.now -= 1
        if task_id == self.refused:
            raise ConflictError(operation="reactivate", status=409, code="JobCompleted")
        if task_id == self.silent:
            raise UnreachableError(operation="reactivate")


async def carried_out(service: Service, ids: list[str]) -> tuple[Reactivation, list[str], list[str]]:
    told: list[Event] = []

    async def publish(*events: Event) -> None:
        told.extend(events)

    reactivation = Reactivation(
        job_id="j",
        batch=service,  # type: ignore[arg-type]  # the one method that the stage uses
        tracker=TaskTracker("r", "j"),
        retries=Retries({FailureClass.INFRASTRUCTURE: 1}),
        publish=publish,
        limits=Limits(submissions=4),
    )
    for task_id in ids:
        ended = datetime(2026, 3, 1, tzinfo=UTC)
        snapshot = TaskSnapshot(id=task_id, state=TaskState.COMPLETED, state_changed=ended, failure=LOST)
        assert reactivation.keeps(snapshot)
    over = [snapshot.id for snapshot in await reactivation.carry_out()]
    return reactivation, over, [event.key.task_id for event in told if isinstance(event, TaskRequeued)]


async def test_as_many_are_asked_for_at_once_as_there_may_be_requests() -> None:
    service = Service()
    ids = [f"t{number}" for number in range(50)]
    _, over, again = await carried_out(service, ids)
    assert (sorted(service.asked), sorted(again), over) == (sorted(ids), sorted(ids), [])
    assert service.most == 4


async def test_one_that_is_refused_is_over_and_one_that_is_not_answered_is_asked_for_again() -> None:
    service = Service(refused="a", silent="b")
    reactivation, over, again = await carried_out(service, ["a", "b", "c"])
    assert (over, again) == (["a"], ["c"])
    service.silent = ""
    assert await reactivation.carry_out() == []
    assert service.asked == ["a", "b", "c", "b"]
