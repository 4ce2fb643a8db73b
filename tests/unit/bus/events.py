"""Short ways to make events and buses."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from orchestrator.bus import EventBus
from orchestrator.events import Event, JobCreated, TaskStarted, TaskSucceeded
from orchestrator.limits import Limits
from orchestrator.states import TaskKey, TaskState
from tests.unit.owner import Owner


def started(task: int | str) -> TaskStarted:
    key = TaskKey("job", str(task))
    return TaskStarted(run_id="run", key=key, previous=TaskState.ACTIVE, state=TaskState.RUNNING)


def succeeded(task: int | str) -> TaskSucceeded:
    key = TaskKey("job", str(task))
    return TaskSucceeded(run_id="run", key=key, previous=TaskState.RUNNING, state=TaskState.COMPLETED)


def job_created() -> JobCreated:
    return JobCreated(run_id="run", job_id="job", pool_id="pool")


def bus_of(
    owner: Owner,
    *,
    queue: int = 100,
    record: Callable[[Sequence[Event]], Awaitable[None]] | None = None,
) -> EventBus:
    return EventBus("run", limits=Limits(subscription_queue=queue), start=owner.start, record=record)
