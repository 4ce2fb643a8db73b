"""Which failed tasks run again, and that each still ends once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.events import TaskCompleted, TaskFailed, TaskRequeued, TaskStarted
from orchestrator.states import FailureClass, FailureInfo, TaskSnapshot, TaskState
from orchestrator.tracker import AfterEnd, Retries, TaskTracker

START = datetime(2026, 1, 1, tzinfo=UTC)
UPLOAD = FailureInfo(category="servererror", code="FileUploadMiscError")
COMMAND = FailureInfo(category="usererror", code="FailureExitCode")
DISK = FailureInfo(category="servererror", code="DiskFull")


def ended(second: int, failure: FailureInfo | None = UPLOAD, task: str = "t") -> TaskSnapshot:
    return TaskSnapshot(
        id=task,
        state=TaskState.COMPLETED,
        state_changed=START + timedelta(seconds=second),
        succeeded=failure is None,
        failure=failure,
        exit_code=0,
    )


def test_a_task_runs_again_as_often_as_its_class_allows_and_then_is_over() -> None:
    retries = Retries({FailureClass.STORAGE: 2})
    told = []
    for second in range(3):
        told.append(retries.look(ended(second)))
        if told[-1] is AfterEnd.RETRY:
            retries.reactivated(ended(second))
    assert told == [AfterEnd.RETRY, AfterEnd.RETRY, AfterEnd.NOTHING]


def test_each_class_has_retries_of_its_own() -> None:
    retries = Retries({FailureClass.STORAGE: 1, FailureClass.INFRASTRUCTURE: 1})
    retries.reactivated(ended(0))
    assert retries.look(ended(1, DISK)) is AfterEnd.RETRY
    assert retries.look(ended(1, UPLOAD)) is AfterEnd.NOTHING
    assert retries.look(ended(1, UPLOAD, task="other")) is AfterEnd.RETRY


def test_success_and_what_the_command_failed_at_are_never_run_again() -> None:
    retries = Retries({each: 5 for each in FailureClass if each is not FailureClass.USER})
    assert retries.look(ended(0, None)) is AfterEnd.NOTHING
    assert retries.look(ended(0, COMMAND)) is AfterEnd.NOTHING


def test_an_end_that_was_answered_is_stale_however_often_it_is_seen() -> None:
    retries = Retries({FailureClass.STORAGE: 5})
    retries.reactivated(ended(0))
    assert [retries.look(ended(0)) for _ in range(3)] == [AfterEnd.STALE] * 3
    assert retries.look(ended(1)) is AfterEnd.RETRY


def test_a_task_whose_reactivation_was_refused_is_over() -> None:
    retries = Retries({FailureClass.STORAGE: 5})
    assert retries.look(ended(0)) is AfterEnd.RETRY
    retries.refused("t")
    assert retries.look(ended(0)) is AfterEnd.NOTHING


def test_retries_remembered_from_before_count() -> None:
    retries = Retries({FailureClass.STORAGE: 1})
    retries.remember("t", FailureClass.STORAGE)
    assert retries.look(ended(0)) is AfterEnd.NOTHING


def test_without_retries_nothing_is_looked_at() -> None:
    retries = Retries({FailureClass.STORAGE: 0})
    assert not retries.may_happen
    assert retries.look(ended(0)) is AfterEnd.NOTHING


def test_the_tracker_tells_a_reactivated_task_as_requeued_with_the_reason_and_ends_it_once() -> None:
    tracker = TaskTracker("run", "job")
    running = TaskSnapshot(id="t", state=TaskState.RUNNING, state_changed=START, retry_count=2)
    tracker.observe(running)
    assert tracker.running_count == 1
    again = tracker.reactivated(ended(1), FailureClass.STORAGE)
    assert isinstance(again, TaskRequeued)
    assert (again.previous, again.state, again.reason) == (
        TaskState.RUNNING,
        TaskState.ACTIVE,
        FailureClass.STORAGE,
    )
    assert (tracker.running_count, tracker.has_completed("t")) == (0, False)
    second = TaskSnapshot(id="t", state=TaskState.RUNNING, state_changed=START + timedelta(seconds=2))
    assert [type(event) for event in tracker.observe(second)] == [TaskStarted]
    assert tracker.take_surprises() == ()
    assert [type(event) for event in tracker.observe(ended(3))] == [TaskFailed]
    assert tracker.observe(ended(3)) == ()


@given(st.lists(st.sampled_from([UPLOAD, DISK, COMMAND, None]), min_size=1, max_size=8), st.integers(0, 3))
def test_whatever_a_task_fails_of_it_ends_exactly_once(ends: list[FailureInfo | None], allowed: int) -> None:
    retries = Retries({FailureClass.STORAGE: allowed, FailureClass.INFRASTRUCTURE: allowed})
    tracker = TaskTracker("run", "job")
    completed = []
    for second, failure in enumerate([*ends, None]):
        snapshot = ended(second, failure)
        for _ in range(2):  # polls overlap
            if tracker.has_completed("t"):
                break
            match retries.look(snapshot):
                case AfterEnd.RETRY:
                    retries.reactivated(snapshot)
                    tracker.reactivated(snapshot, FailureClass.STORAGE)
                case AfterEnd.NOTHING:
                    completed += [e for e in tracker.observe(snapshot) if isinstance(e, TaskCompleted)]
                case AfterEnd.STALE:
                    pass
        if tracker.has_completed("t"):
            break
    assert len(completed) == 1
