"""From looks at tasks to events."""

from __future__ import annotations

import sys
import tracemalloc
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.events import (
    TaskCompleted,
    TaskFailed,
    TaskRequeued,
    TaskStarted,
    TaskStateChanged,
    TaskSucceeded,
)
from orchestrator.states import FailureInfo, TaskKey, TaskSnapshot, TaskState
from orchestrator.tracker import TaskTracker

START = datetime(2026, 1, 1, tzinfo=UTC)
FAILURE = FailureInfo(category="usererror", code="FailureExitCode", message="exit code 3")


def look(
    state: str,
    second: float = 0,
    *,
    task: str = "t1",
    retries: int = 0,
    requeues: int = 0,
    exit_code: int | None = None,
    succeeded: bool | None = None,
    failure: FailureInfo | None = None,
) -> TaskSnapshot:
    return TaskSnapshot(
        id=task,
        state=TaskState(state),
        state_changed=START + timedelta(seconds=second),
        retry_count=retries,
        requeue_count=requeues,
        exit_code=exit_code,
        succeeded=succeeded,
        failure=failure,
        node_id="node",
    )


def done(second: float = 9, retries: int = 0) -> TaskSnapshot:
    return look("completed", second, exit_code=0, succeeded=True, retries=retries)


def told(tracker: TaskTracker, *looks: TaskSnapshot) -> list[tuple[str, str | None, str]]:
    return [
        (type(event).__name__, str(event.previous) if event.previous else None, str(event.state))
        for each in looks
        for event in tracker.observe(each)
    ]


@pytest.fixture
def tracker() -> TaskTracker:
    return TaskTracker("run", "job")


def test_a_task_seen_in_every_state_tells_each_of_them(tracker: TaskTracker) -> None:
    looks = (look("active", 0), look("preparing", 1), look("running", 2), done(3))
    assert told(tracker, *looks) == [
        ("TaskStateChanged", None, "active"),
        ("TaskStateChanged", "active", "preparing"),
        ("TaskStarted", "preparing", "running"),
        ("TaskSucceeded", "running", "completed"),
    ]
    assert tracker.take_surprises() == ()


def test_a_task_first_seen_completed_tells_only_that(tracker: TaskTracker) -> None:
    assert told(tracker, done()) == [("TaskSucceeded", None, "completed")]


def test_a_repeated_look_tells_nothing(tracker: TaskTracker) -> None:
    looks = (look("running", 2), done(3))
    assert len(told(tracker, *looks)) == 2
    assert told(tracker, done(3), done(3)) == []
    assert tracker.take_surprises() == ()


def test_a_failure_carries_what_the_service_says(tracker: TaskTracker) -> None:
    (event,) = tracker.observe(look("completed", 1, exit_code=3, succeeded=False, failure=FAILURE, retries=2))
    assert isinstance(event, TaskFailed)
    assert event.key == TaskKey("job", "t1")
    assert (event.exit_code, event.failure, event.retry_count) == (3, FAILURE, 2)
    assert event.node_id == "node"


def test_a_failure_without_a_reason_gets_one_so_that_its_result_is_a_failure(tracker: TaskTracker) -> None:
    (event,) = tracker.observe(look("completed", 1, exit_code=None, succeeded=False))
    assert isinstance(event, TaskFailed)
    assert event.failure is not None
    assert "did not start" in event.failure.message


@pytest.mark.parametrize(
    ("exit_code", "failure", "kind"),
    [(0, None, TaskSucceeded), (3, None, TaskFailed), (None, None, TaskFailed), (0, FAILURE, TaskFailed)],
)
def test_without_a_result_the_exit_code_and_the_failure_decide(
    tracker: TaskTracker, exit_code: int | None, failure: FailureInfo | None, kind: type[TaskCompleted]
) -> None:
    (event,) = tracker.observe(look("completed", 1, exit_code=exit_code, failure=failure))
    assert type(event) is kind


def test_a_retry_seen_as_waiting_is_a_requeue(tracker: TaskTracker) -> None:
    looks = (look("running", 1), look("active", 2, retries=1), look("running", 3, retries=1), done(4, 1))
    assert [name for name, *_ in told(tracker, *looks)] == [
        "TaskStarted",
        "TaskRequeued",
        "TaskStarted",
        "TaskSucceeded",
    ]
    assert tracker.take_surprises() == ()


def test_a_retry_between_two_looks_at_a_running_task_is_told_too(tracker: TaskTracker) -> None:
    assert told(tracker, look("running", 1), look("running", 5, requeues=1)) == [
        ("TaskStarted", None, "running"),
        ("TaskRequeued", "running", "active"),
        ("TaskStarted", "active", "running"),
    ]


def test_a_waiting_task_whose_counts_rose_was_requeued_unseen(tracker: TaskTracker) -> None:
    assert told(tracker, look("active", 1), look("active", 5, retries=1))[-1] == (
        "TaskRequeued",
        "active",
        "active",
    )


def test_a_task_first_seen_waiting_after_a_retry_was_requeued(tracker: TaskTracker) -> None:
    assert told(tracker, look("active", 1, retries=1)) == [("TaskRequeued", None, "active")]


def test_going_back_without_a_retry_or_requeue_is_believed_and_noted(tracker: TaskTracker) -> None:
    assert told(tracker, look("running", 1), look("active", 2))[-1] == ("TaskRequeued", "running", "active")
    (surprise,) = tracker.take_surprises()
    assert (surprise.key, surprise.previous, surprise.state) == (
        TaskKey("job", "t1"),
        TaskState.RUNNING,
        TaskState.ACTIVE,
    )
    assert tracker.take_surprises() == ()


def test_a_preparing_task_may_wait_again_without_being_a_surprise(tracker: TaskTracker) -> None:
    told(tracker, look("preparing", 1), look("active", 2))
    assert tracker.take_surprises() == ()


def test_a_look_older_than_the_last_is_left_out_and_noted(tracker: TaskTracker) -> None:
    assert len(told(tracker, look("running", 5), look("active", 1))) == 1
    (surprise,) = tracker.take_surprises()
    assert "older" in surprise.why


def test_the_end_of_a_task_is_believed_whatever_its_time(tracker: TaskTracker) -> None:
    assert told(tracker, look("running", 5), done(1))[-1][0] == "TaskSucceeded"


def test_nothing_follows_the_end_of_a_reactivated_task_but_notes(tracker: TaskTracker) -> None:
    told(tracker, look("running", 1), done(2))
    assert told(tracker, look("active", 3), look("active", 3), look("running", 4), done(5), done(5)) == []
    assert [surprise.why for surprise in tracker.take_surprises()] == [
        "seen again after it had completed; left out",
        "seen again after it had completed; left out",
        "completed again; the run keeps its first result",
    ]
    assert tracker.completed_count == 1


def test_a_state_that_is_not_known_is_told_and_survived(tracker: TaskTracker) -> None:
    looks = (look("running", 1), look("suspended", 2), look("running", 3), done(4))
    assert [state for _, _, state in told(tracker, *looks)] == ["running", "unknown", "running", "completed"]


def test_the_unfinished_are_those_not_completed_never_seen_ones_included(tracker: TaskTracker) -> None:
    told(tracker, look("completed", 1, task="a", exit_code=0), look("running", 1))
    assert tracker.unfinished(["a", "t1", "never seen"]) == ["t1", "never seen"]
    assert tracker.has_completed("a")
    assert not tracker.has_completed("t1")
    assert tracker.completed_count == 1


def test_the_reasons_count_the_unfinished_by_where_they_stand(tracker: TaskTracker) -> None:
    for index in range(3):
        tracker.observe(look("active", 1, task=f"a{index}"))
    tracker.observe(look("running", 1, task="r"))
    tracker.observe(look("completed", 1, task="c", exit_code=0))
    assert tracker.reasons(["a0", "a1", "a2", "r", "c", "n"]) == (
        "3 tasks active: waiting for a node, a slot, a dependency or a retry",
        "1 task running: bringing files, executing, or uploading outputs",
        "1 task not seen on the service yet",
    )


def test_times_keep_their_microseconds(tracker: TaskTracker) -> None:
    told(tracker, look("active", 0.000001))
    assert told(tracker, look("running", 0.000002))[-1][0] == "TaskStarted"
    assert tracker.take_surprises() == ()


def test_a_task_costs_less_than_400_bytes() -> None:
    count = 20_000
    looks = [look("running", index, task=f"task-{index:05}") for index in range(count)]
    tracemalloc.start()
    tracker = TaskTracker("run", "job")
    for each in looks:
        tracker.observe(each)
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    # The ids belong to the snapshots here; without those the tracker keeps them alive.
    assert size / count + sys.getsizeof("task-00000") < 400


looks_of_one_task = st.lists(
    st.builds(
        look,
        state=st.sampled_from(["active", "preparing", "running", "completed", "something new"]),
        second=st.integers(0, 5),
        task=st.sampled_from(["t1", "t2"]),
        retries=st.integers(0, 2),
        requeues=st.integers(0, 2),
        exit_code=st.sampled_from([None, 0, 1]),
        succeeded=st.sampled_from([None, True, False]),
    ),
    max_size=12,
)


@settings(max_examples=300, deadline=None)
@given(looks_of_one_task)
def test_whatever_the_service_says_a_task_completes_at_most_once_and_nothing_follows(
    looks: list[TaskSnapshot],
) -> None:
    tracker = TaskTracker("run", "job")
    events: dict[str, list[TaskStateChanged]] = {}
    for each in looks:
        for event in tracker.observe(each):
            events.setdefault(event.key.task_id, []).append(event)
    for task_id, of_task in events.items():
        ends = [event for event in of_task if isinstance(event, TaskCompleted)]
        seen_completed = any(each.id == task_id and each.state is TaskState.COMPLETED for each in looks)
        assert len(ends) == seen_completed
        if ends:
            assert of_task[-1] is ends[0]
            assert tracker.unfinished([task_id]) == []
        # Each event begins where the one before it ended, so states can be counted without being kept.
        assert of_task[0].previous is None
        for before, after in pairwise(of_task):
            assert after.previous is before.state
    assert tracker.completed_count == sum(
        isinstance(event, TaskCompleted) for of_task in events.values() for event in of_task
    )


@settings(max_examples=200, deadline=None)
@given(looks_of_one_task)
def test_a_second_reading_of_the_same_looks_completes_nothing_again(looks: list[TaskSnapshot]) -> None:
    tracker = TaskTracker("run", "job")
    for each in looks:
        tracker.observe(each)
        assert tracker.observe(each) == ()
    again = [event for each in looks for event in tracker.observe(each)]
    assert not any(isinstance(event, TaskCompleted) for event in again)


@st.composite
def lives(draw: st.DrawFn) -> list[TaskSnapshot]:
    """What polling may see of a task that behaves: any part of a life with retries and requeues."""
    second, retries, requeues = 0, 0, 0
    life = [look("active", second)]
    for attempt in range(draw(st.integers(1, 4))):
        second += 1
        if attempt:
            if draw(st.booleans()):
                retries += 1
            else:
                requeues += 1
            life.append(look("active", second, retries=retries, requeues=requeues))
        for state in ("preparing", "running"):
            second += 1
            life.append(look(state, second, retries=retries, requeues=requeues))
    last = look("completed", second + 1, retries=retries, requeues=requeues, exit_code=0, succeeded=True)
    seen = [each for each in life if draw(st.booleans())]
    return [*seen, last]


@settings(max_examples=300, deadline=None)
@given(lives())
def test_a_task_that_behaves_is_never_a_surprise(life: list[TaskSnapshot]) -> None:
    tracker = TaskTracker("run", "job")
    events = [event for each in life for event in tracker.observe(each)]
    assert tracker.take_surprises() == ()
    assert isinstance(events[-1], TaskSucceeded)
    started = [event for event in events if isinstance(event, TaskStarted)]
    requeued = [event for event in events if isinstance(event, TaskRequeued)]
    assert len(started) <= len(requeued) + 1
