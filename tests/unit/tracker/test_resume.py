"""A tracker that goes on for another tells nothing again that was told, and misses nothing that is news."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from orchestrator.events import TaskRequeued, TaskStarted, TaskStateChanged, TaskSucceeded
from orchestrator.states import TaskSnapshot, TaskState
from orchestrator.tracker import TaskTracker

AT = datetime(2026, 1, 1, tzinfo=UTC)


def look(state: TaskState, *, retries: int = 0, requeues: int = 0) -> TaskSnapshot:
    exit_code = 0 if state is TaskState.COMPLETED else None
    return TaskSnapshot(
        id="t",
        state=state,
        state_changed=AT,
        retry_count=retries,
        requeue_count=requeues,
        exit_code=exit_code,
    )


def resumed(state: TaskState, retries: int = 0) -> TaskTracker:
    tracker = TaskTracker("r", "j")
    tracker.resume((), [("t", state, retries)])
    return tracker


@pytest.mark.parametrize("state", [TaskState.ACTIVE, TaskState.PREPARING, TaskState.RUNNING])
@pytest.mark.parametrize("requeues", [0, 3])
def test_a_state_that_was_told_is_not_told_again(state: TaskState, requeues: int) -> None:
    tracker = resumed(state)
    assert tracker.observe(look(state, requeues=requeues)) == ()
    assert tracker.take_surprises() == ()


@pytest.mark.parametrize(
    ("before", "now", "retries", "told"),
    [
        (TaskState.ACTIVE, TaskState.RUNNING, 0, [TaskStarted]),
        (TaskState.ACTIVE, TaskState.PREPARING, 0, [TaskStateChanged]),
        (TaskState.RUNNING, TaskState.ACTIVE, 0, [TaskRequeued]),
        (TaskState.RUNNING, TaskState.RUNNING, 1, [TaskRequeued, TaskStarted]),
        (TaskState.RUNNING, TaskState.COMPLETED, 0, [TaskSucceeded]),
    ],
)
def test_what_happened_meanwhile_is_told(
    before: TaskState, now: TaskState, retries: int, told: list[type]
) -> None:
    events = resumed(before).observe(look(now, retries=retries))
    assert [type(event) for event in events] == told
    assert events[0].previous is before


def test_a_completion_that_was_told_is_final() -> None:
    tracker = TaskTracker("r", "j")
    tracker.resume(["t"], ())
    assert tracker.observe(look(TaskState.COMPLETED)) == ()
    assert (tracker.completed_count, tracker.unfinished(["t", "u"])) == (1, ["u"])


def test_running_tasks_are_those_that_were_running_at_the_last_look() -> None:
    tracker = resumed(TaskState.RUNNING)
    tracker.resume(["done"], [("waiting", TaskState.ACTIVE, 0)])
    assert tracker.running(["t", "waiting", "done", "unseen"]) == ["t"]
