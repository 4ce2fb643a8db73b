"""How far back a look at changed tasks reaches: nothing that an earlier one could not show is left out."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import TypeAlias

import anyio

from orchestrator.accounts.looks import Looks
from orchestrator.errors import UnreachableError
from orchestrator.events import Event
from orchestrator.limits import Limits
from orchestrator.stages.reactivate import Reactivation
from orchestrator.stages.watch import TaskWatch
from orchestrator.states import JobSnapshot, JobState, TaskSnapshot, TaskState
from orchestrator.tracker import Retries, TaskTracker

LIMITS = Limits(poll_interval=0.01, poll_floor=0.01, watch_overlap=10)
Look: TypeAlias = Sequence[list[TaskSnapshot] | Exception]
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def task(task_id: str, state: TaskState, second: float) -> TaskSnapshot:
    return TaskSnapshot(id=task_id, state=state, state_changed=NOON + timedelta(seconds=second))


class Service:
    """Lists tasks as a script says, a list of pages a look; an exception among them ends the list there."""

    def __init__(self, looks: Sequence[Look], *, pause: float = 0) -> None:
        self.script = iter(looks)
        self.pause = pause
        self.looks = Looks(LIMITS)
        self.asked: list[datetime | None] = []

    async def get_job(self, job_id: str) -> JobSnapshot:
        return JobSnapshot(id=job_id, state=JobState.ACTIVE)

    async def list_tasks(self, job_id: str, *, filter: str | None) -> AsyncIterator[list[TaskSnapshot]]:  # noqa: A002 - the API's word
        found = re.search(r"'(.*)'", filter or "")
        self.asked.append(datetime.fromisoformat(found[1]) if found else None)
        for page in next(self.script, []):
            if isinstance(page, Exception):
                raise page
            yield page
            await anyio.sleep(self.pause)


async def watched(
    service: Service,
    *,
    looks: int,
    limits: Limits = LIMITS,
    left: Callable[[], int | None] | None = None,
) -> list[datetime | None]:
    """What the service was asked for in the first looks, or until none is left."""

    async def publish(*events: Event) -> None:
        pass

    tracker = TaskTracker("r", "j")
    watch = TaskWatch(
        job_id="j",
        batch=service,  # type: ignore[arg-type]  # what the stage uses of it
        tracker=tracker,
        publish=publish,
        limits=limits,
        ours=lambda _: True,
        left=left or (lambda: 0 if len(service.asked) >= looks else None),
        reactivation=Reactivation(
            job_id="j",
            batch=service,  # type: ignore[arg-type]
            tracker=tracker,
            retries=Retries({}),
            publish=publish,
        ),
    )
    with anyio.fail_after(10):
        await watch.run()
    return service.asked


async def test_a_look_reaches_back_by_the_overlap_from_the_newest_change() -> None:
    asked = await watched(Service([[[task("a", TaskState.ACTIVE, 100)]]]), looks=2)
    assert asked[0] is None
    assert asked[1] is not None
    assert timedelta(0) <= NOON + timedelta(seconds=90) - asked[1] < timedelta(seconds=1)


async def test_it_reaches_back_further_by_the_time_that_the_list_took() -> None:
    # What changes meanwhile on a page that was read already shows in no later page.
    pages = [[task("a", TaskState.ACTIVE, 0)], [task("b", TaskState.ACTIVE, 100)]]
    asked = await watched(Service([pages], pause=0.3), looks=2)
    assert asked[1] is not None
    assert NOON + timedelta(seconds=90) - asked[1] >= timedelta(seconds=0.6)


async def test_a_list_of_one_page_is_of_one_moment_whatever_it_waited_for() -> None:
    asked = await watched(Service([[[task("a", TaskState.ACTIVE, 100)]]], pause=0.3), looks=2)
    assert asked[1] is not None
    assert NOON + timedelta(seconds=90) - asked[1] < timedelta(seconds=0.2)


async def test_a_list_that_broke_off_moves_nothing() -> None:
    broken: Look = [[task("b", TaskState.RUNNING, 500)], UnreachableError(operation="list tasks")]
    asked = await watched(Service([[[task("a", TaskState.ACTIVE, 100)]], broken]), looks=3)
    assert asked[2] == asked[1]


async def test_where_tasks_end_so_fast_that_the_last_is_near_the_looks_do_not_become_rare() -> None:
    looks = 16
    service = Service([])  # nothing is news, so that the pauses would grow: a minute in all
    limits = Limits(poll_interval=30, poll_floor=0.01)
    with anyio.fail_after(5):
        await watched(service, looks=looks, limits=limits, left=lambda: 3 ** (looks - len(service.asked)) - 1)
    assert len(service.asked) == looks
