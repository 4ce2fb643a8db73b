from __future__ import annotations

from itertools import pairwise

import pytest

from orchestrator.local.batch.store.states import (
    ALLOCATION_MOVES,
    JOB_MOVES,
    NODE_MOVES,
    POOL_MOVES,
    TASK_MOVES,
    AllocationState,
    ImpossibleMoveError,
    JobState,
    NodeState,
    PoolState,
    TaskState,
)
from orchestrator.local.batch.store.views import job_wire
from tests.unit.local.batch.bodies import AT, URL, job, pool, task

FAILURE = {"category": "UserError", "code": "FailureExitCode", "message": "m"}


def test_every_state_has_its_moves() -> None:
    assert set(POOL_MOVES) == set(PoolState)
    assert set(ALLOCATION_MOVES) == set(AllocationState)
    assert set(NODE_MOVES) == set(NodeState)
    assert set(JOB_MOVES) == set(JobState)
    assert set(TASK_MOVES) == set(TaskState)


def test_a_move_that_is_not_listed_raises_and_tells_its_story() -> None:
    record = job()
    with pytest.raises(ImpossibleMoveError, match="job j is active and can't become completed"):
        record.move(JobState.COMPLETED, AT)
    one = pool()
    one.move(PoolState.DELETING, AT)
    with pytest.raises(ImpossibleMoveError, match="pool p is deleting"):
        one.move(PoolState.ACTIVE, AT)


def test_a_job_remembers_no_transient_state() -> None:
    record = job()
    assert "previousState" not in job_wire(record, URL)
    told: list[tuple[JobState | None, int]] = []
    path = [JobState.DISABLING, JobState.DISABLED, JobState.ENABLING, JobState.ACTIVE, JobState.TERMINATING]
    for step, state in enumerate(path, start=1):
        record.move(state, AT + step)
        told.append((record.previous_state, record.previous_since))
    assert told == [
        (JobState.ACTIVE, AT),
        (JobState.ACTIVE, AT),
        (JobState.DISABLED, AT + 2),
        (JobState.DISABLED, AT + 2),
        (JobState.ACTIVE, AT + 4),
    ]


def test_a_task_remembers_every_state() -> None:
    parent = job()
    one = task(parent)
    path = [TaskState.PREPARING, TaskState.RUNNING, TaskState.COMPLETED, TaskState.ACTIVE]
    for state in path:
        parent.move_task(one, state, AT)
    assert [one.previous_state, one.state] == path[-2:]


def test_counts_follow_the_tasks() -> None:
    parent = job()
    tasks = [task(parent, id=f"t{number}", requiredSlots=number + 1) for number in range(4)]
    assert parent.counts.tasks["active"] == 4
    assert parent.counts.slots["active"] == 10
    parent.move_task(tasks[0], TaskState.PREPARING, AT)
    parent.move_task(tasks[1], TaskState.RUNNING, AT)
    assert parent.counts.tasks == {"active": 2, "running": 2, "completed": 0, "succeeded": 0, "failed": 0}
    parent.move_task(tasks[1], TaskState.COMPLETED, AT, failure=FAILURE)
    parent.move_task(tasks[2], TaskState.COMPLETED, AT, failure=None)
    assert parent.counts.tasks == {"active": 1, "running": 1, "completed": 2, "succeeded": 1, "failed": 1}
    assert parent.counts.slots == {"active": 4, "running": 1, "completed": 5, "succeeded": 3, "failed": 2}
    parent.move_task(tasks[1], TaskState.ACTIVE, AT)
    assert parent.counts.tasks["failed"] == 0
    assert parent.counts.unfinished == 3


def test_a_job_without_tasks_counts_as_complete() -> None:
    assert job(onAllTasksComplete="terminatejob").ends_with_its_tasks
    assert not job().ends_with_its_tasks


def test_the_deadline_of_a_job_counts_from_its_creation() -> None:
    assert job().deadline is None
    assert job(constraints={"maxWallClockTime": "PT1S"}).deadline == AT - 7 + 10_000_000


def test_a_node_passes_its_states_in_order_only() -> None:
    way = [NodeState.CREATING, NodeState.STARTING, NodeState.WAITING_FOR_START_TASK, NodeState.IDLE]
    for before, after in pairwise(way):
        assert after in NODE_MOVES[before]
    assert NodeState.IDLE not in NODE_MOVES[NodeState.CREATING]
    assert not NODE_MOVES[NodeState.LEAVING_POOL]
