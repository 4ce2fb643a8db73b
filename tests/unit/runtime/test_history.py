"""What a run had done is known from its events, at whatever point they end and however often they come."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.events import (
    CleanupCompleted,
    DownloadFailed,
    Event,
    InputStaged,
    JobCreated,
    JobSettled,
    OutputDownloaded,
    OutputsDownloaded,
    PoolCreated,
    ResourceDeleted,
    RunFinished,
    RunInterrupted,
    RunStarted,
    RunStateChanged,
    StagingCompleted,
    StagingStarted,
    SubmissionCompleted,
    TaskAbandoned,
    TasksRejected,
    TasksSubmitted,
    TaskStarted,
    TaskSucceeded,
)
from orchestrator.results import JobResult
from orchestrator.runtime.history import RunHistory
from orchestrator.states import RunOutcome, RunState, TaskKey, TaskState

RUN = "r-1"
NOW = datetime(2026, 1, 1, tzinfo=UTC)
A, B, C = (TaskKey("j", name) for name in "abc")
FILE = Path("/results/j/a/out.txt")


def entered(state: RunState) -> Event:
    return RunStateChanged(run_id=RUN, time=NOW, previous=None, state=state)


def staged(index: int | None, blob: str) -> Event:
    return InputStaged(
        run_id=RUN, name="n", container="in-r-1", blob=blob, size=1, md5="", started_at=NOW, index=index
    )


def succeeded(key: TaskKey) -> Event:
    return TaskSucceeded(run_id=RUN, key=key, previous=None, state=TaskState.COMPLETED, exit_code=0)


RESULT = JobResult(
    run_id=RUN,
    job_id="j",
    pool_id="p",
    outcome=RunOutcome.TASKS_FAILED,
    started_at=NOW,
    ended_at=NOW,
    download_dir=Path("/results"),
)

WHOLE: tuple[Event, ...] = tuple(
    msgspec.structs.replace(event, sequence=number)
    for number, event in enumerate(
        [
            RunStarted(
                run_id=RUN,
                time=NOW,
                job_id="j",
                pool_id="p",
                inputs=2,
                tasks=4,
                account="local",
                download_dir=Path("/results"),
            ),
            entered(RunState.STAGING),
            StagingStarted(run_id=RUN, files=3, containers=("in-r-1", "out-r-1", "app-1")),
            staged(None, "0-app"),
            entered(RunState.PROVISIONING),
            PoolCreated(
                run_id=RUN,
                pool_id="p",
                vm_size="s",
                image="i",
                target_dedicated_nodes=1,
                target_low_priority_nodes=0,
            ),
            staged(0, "0-x"),
            JobCreated(run_id=RUN, time=NOW, job_id="j", pool_id="p"),
            entered(RunState.SUBMITTING),
            TasksSubmitted(run_id=RUN, job_id="j", task_ids=("a",)),
            staged(1, "0-x"),
            StagingCompleted(run_id=RUN, files=3, size=3),
            succeeded(B),  # a look may see a task's end before its request is answered
            TasksSubmitted(run_id=RUN, job_id="j", task_ids=("b", "c")),
            TasksRejected(run_id=RUN, job_id="j", rejections=(("d", "Code", "why"),)),
            SubmissionCompleted(run_id=RUN, job_id="j", accepted=3, rejected=1),
            entered(RunState.RUNNING),
            TaskStarted(run_id=RUN, key=A, previous=None, state=TaskState.RUNNING, retry_count=2),
            OutputsDownloaded(run_id=RUN, key=B, outputs=(), size=0),
            succeeded(A),
            OutputDownloaded(run_id=RUN, key=A, path=FILE, size=3),
            DownloadFailed(run_id=RUN, key=A, name="x", reason="full"),
            OutputsDownloaded(run_id=RUN, key=A, outputs=(FILE,), size=3),
            RunInterrupted(run_id=RUN, outcome=RunOutcome.TIMED_OUT, reason="late"),
            TaskAbandoned(run_id=RUN, key=C, reason="late"),
            entered(RunState.SETTLING),
            JobSettled(
                run_id=RUN,
                job_id="j",
                outcome=RunOutcome.TIMED_OUT,
                accepted=3,
                succeeded=2,
                failed=0,
                abandoned=1,
                missing_outputs=0,
            ),
            entered(RunState.CLEANING),
            ResourceDeleted(run_id=RUN, kind="job", id="j"),
            CleanupCompleted(run_id=RUN, deleted=("job j",), kept=(), leftovers=()),
            entered(RunState.FINISHED),
            RunFinished(run_id=RUN, result=RESULT),
        ],
        1,
    )
)


def history(events: tuple[Event, ...]) -> RunHistory:
    past = RunHistory()
    for event in events:
        past.take(event)
    return past


def up_to(kind: type[Event], *, count: int = 1) -> RunHistory:
    """The past of the run that died right after the event of this class."""
    ends = [number for number, event in enumerate(WHOLE, 1) if isinstance(event, kind)]
    return history(WHOLE[: ends[count - 1]])


@given(cut=st.integers(0, len(WHOLE)), again=st.integers(0, len(WHOLE)))
def test_events_that_come_again_change_nothing(cut: int, again: int) -> None:
    once = history(WHOLE[:cut])
    twice = history((*WHOLE[:cut], *WHOLE[max(cut - again, 0) : cut]))
    assert vars(once) == vars(twice)


@given(cut=st.integers(0, len(WHOLE)))
def test_every_accepted_task_stands_in_one_place_wherever_the_events_end(cut: int) -> None:
    past = history(WHOLE[:cut])
    places = [set(past.unfinished), set(past.ended), past.over, past.abandoned]
    assert sum(len(place & past.accepted) for place in places) == len(past.accepted)
    assert not past.accepted & past.rejected
    assert past.last_sequence == cut


@given(cut=st.integers(0, len(WHOLE) - 1))
def test_nothing_that_was_known_is_forgotten(cut: int) -> None:
    before, after = history(WHOLE[:cut]), history(WHOLE[: cut + 1])
    assert before.accepted <= after.accepted
    assert before.staged.items() <= after.staged.items()
    assert before.over <= after.over
    assert set(before.completed) <= set(after.completed)
    assert (before.settlement is None) or (after.settlement is before.settlement)


def test_a_run_that_never_began_has_no_past() -> None:
    past = history(())
    assert (past.started_at, past.state, past.unfinished) == (None, None, [])


def test_staged_files_are_known_by_index_and_those_of_the_application_by_blob() -> None:
    past = up_to(StagingCompleted)
    assert past.staged == {0: "0-x", 1: "0-x"}
    assert past.brought == {"0-app"}
    assert past.application == "app-1"


def test_a_task_that_ended_before_its_request_was_answered_is_not_unfinished() -> None:
    past = up_to(TasksSubmitted, count=2)
    assert past.unfinished == ["a", "c"]
    assert list(past.ended) == ["b"]


def test_the_last_look_at_a_task_is_kept_until_it_ends() -> None:
    assert up_to(TaskStarted).looks == {"a": (TaskState.RUNNING, 2)}
    assert up_to(TaskSucceeded, count=2).looks == {}


def test_files_that_are_here_are_known_until_all_of_the_task_are() -> None:
    assert up_to(OutputDownloaded).downloaded == {"a": {FILE: 3}}
    assert up_to(OutputsDownloaded, count=2).downloaded == {}


def test_the_time_limit_counts_from_the_first_time_that_the_run_was_running() -> None:
    again = msgspec.structs.replace(
        RunStateChanged(run_id=RUN, previous=None, state=RunState.RUNNING), sequence=len(WHOLE) + 1
    )
    past = history((*WHOLE, again))
    assert past.running_since == NOW


def test_the_end_is_known_with_all_that_led_to_it() -> None:
    past = history(WHOLE)
    assert past.interruption is not None
    assert past.settlement is not None
    assert past.cleanup is not None
    assert past.finish is not None
    assert past.deleted == {("job", "j"): None}
    assert past.failed_downloads == 1
    assert (past.abandoned, past.unfinished) == ({"c"}, [])
