"""Each check of the crash matrix can fail: a good story has no problem, each way to spoil it has its own."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from orchestrator.events import (
    Event,
    InputStaged,
    JobSettled,
    OutputDownloaded,
    OutputsDownloaded,
    RunFinished,
    RunResumed,
    TaskRequeued,
    TasksSubmitted,
    TaskSucceeded,
)
from orchestrator.results import JobResult
from orchestrator.states import RunOutcome, TaskKey, TaskState
from tests.faults.crash_checks import (
    Reruns,
    commands_problem,
    events_problem,
    files_problem,
    handler_problem,
    requests_problem,
    traffic_problem,
)

TASKS = ("a", "b")
NOW = datetime(2026, 3, 1, tzinfo=UTC)
RESULT = JobResult(
    run_id="r",
    job_id="j",
    pool_id="p",
    outcome=RunOutcome.SUCCEEDED,
    started_at=NOW,
    ended_at=NOW,
    download_dir=Path("results"),
)
STAGED, BROUGHT = ("in-r/1", "in-r/2"), ("out-r/a/out.txt", "out-r/b/out.txt")
TRAFFIC = {**{("PUT", blob): 1 for blob in STAGED}, **{("GET", blob): 1 for blob in BROUGHT}}

Story = list[Event]
Spoil = Callable[[Story], object]


def numbered(story: Story) -> Story:
    return [msgspec.structs.replace(event, sequence=number) for number, event in enumerate(story, 1)]


def good() -> Story:
    """A run of two tasks, whose program died before the end and was taken up."""
    keys = [TaskKey("j", task) for task in TASKS]
    paths = [Path("results/j") / task / "out.txt" for task in TASKS]
    return numbered(
        [
            *(
                InputStaged(
                    run_id="r",
                    name="x",
                    container="in-r",
                    blob=blob,
                    size=1,
                    md5="",
                    started_at=NOW,
                    index=index,
                )
                for index, blob in enumerate("12")
            ),
            TasksSubmitted(run_id="r", job_id="j", task_ids=TASKS),
            *(
                TaskSucceeded(run_id="r", key=key, previous=TaskState.RUNNING, state=TaskState.COMPLETED)
                for key in keys
            ),
            RunResumed(run_id="r", job_id="j", run_state=None, unfinished=0),
            *(OutputDownloaded(run_id="r", key=keys[n], path=paths[n], size=1) for n in range(2)),
            *(OutputsDownloaded(run_id="r", key=keys[n], outputs=(paths[n],), size=1) for n in range(2)),
            JobSettled(
                run_id="r",
                job_id="j",
                outcome=RunOutcome.SUCCEEDED,
                accepted=2,
                succeeded=2,
                failed=0,
                abandoned=0,
                missing_outputs=0,
            ),
            RunFinished(run_id="r", result=RESULT),
        ]
    )


def found(story: Story, kind: type[Event]) -> int:
    return next(place for place, event in enumerate(story) if isinstance(event, kind))


def twice(kind: type[Event]) -> Spoil:
    return lambda story: story.insert(found(story, kind), story[found(story, kind)])


def never(kind: type[Event]) -> Spoil:
    return lambda story: story.pop(found(story, kind))


def run_again_after_its_end(story: Story) -> None:
    again = TaskRequeued(
        run_id="r", key=TaskKey("j", "a"), previous=TaskState.COMPLETED, state=TaskState.ACTIVE
    )
    story.insert(found(story, RunResumed), again)


def test_a_good_story_has_no_problem() -> None:
    here = [f"results/j/{task}/out.txt" for task in TASKS]
    assert commands_problem({"a": 1, "b": 1}, TASKS, Reruns.NEVER) is None
    assert commands_problem({"a": 3, "b": 1}, TASKS, Reruns.ALLOWED) is None
    assert events_problem(good(), TASKS) is None
    assert files_problem(good(), here) is None
    assert handler_problem([*range(1, 7), *range(4, len(good()) + 1)], good()) is None
    assert traffic_problem(TRAFFIC, TRAFFIC, staged=STAGED, brought=BROUGHT) is None
    assert requests_problem(TRAFFIC, staged=STAGED, brought=BROUGHT, kills=0) is None


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (twice(InputStaged), "staged not once: 1 such as 0"),
        (never(InputStaged), "staged not once: 1 such as 0"),
        (twice(TasksSubmitted), "accepted not once: 2 such as a, b"),
        (never(TasksSubmitted), "accepted not once: 2 such as a, b"),
        (twice(TaskSucceeded), "completed not once: 1 such as a"),
        (never(TaskSucceeded), "completed not once: 1 such as a"),
        (twice(OutputsDownloaded), "downloaded not once: 1 such as a"),
        (never(OutputsDownloaded), "downloaded not once: 1 such as a"),
        (twice(JobSettled), "job not once: 1 such as JobSettled"),
        (never(JobSettled), "job not once: 1 such as JobSettled"),
        (never(RunFinished), "run finished not once: 1 such as 11"),
        (run_again_after_its_end, "TaskRequeued of a comes after its end"),
    ],
)
def test_what_happened_twice_or_never_is_named(spoil: Spoil, told: str) -> None:
    story = good()
    spoil(story)
    assert events_problem(numbered(story), TASKS) == told


def test_an_event_that_is_lost_or_comes_twice_is_named() -> None:
    lost, doubled = good(), good()
    del lost[3]
    doubled.insert(3, doubled[3])
    assert str(events_problem(lost, TASKS)).startswith("number not once: 2")
    assert str(events_problem(doubled, TASKS)).startswith("number not once: 2")
    assert handler_problem(range(1, 12), good()) == "handled not once: 1 such as 12"


def test_a_run_that_finished_twice_is_named() -> None:
    story = good()
    story.append(story[-1])
    assert events_problem(numbered(story), TASKS) == "run finished not once: 1 such as 12"


def test_a_command_that_ran_twice_or_never_is_named() -> None:
    assert commands_problem({"a": 2, "b": 1}, TASKS, Reruns.NEVER) == "ran not once: 1 such as a"
    assert commands_problem({"a": 2}, TASKS, Reruns.ALLOWED) == "ran not once: 1 such as b"
    assert commands_problem({"a": 1, "b": 1, "c": 1}, TASKS, Reruns.ALLOWED) == "ran not once: 1 such as c"


def test_a_file_that_nobody_told_of_or_that_is_not_there_is_named() -> None:
    here = [f"results/j/{task}/out.txt" for task in TASKS]
    assert files_problem(good(), here[:1]) == f"file not once: 1 such as {here[1]}"
    assert files_problem(good(), [*here, "x"]) == "file not once: 1 such as x"
    assert files_problem([*good(), good()[found(good(), OutputDownloaded)]], here) is not None


def test_a_blob_that_is_fetched_or_uploaded_again_is_named() -> None:
    fetched = {**TRAFFIC, ("GET", BROUGHT[0]): 2}
    uploaded = {**TRAFFIC, ("PUT", STAGED[1]): 2}
    told = traffic_problem(TRAFFIC, fetched, staged=STAGED, brought=BROUGHT)
    assert told == "asked again: 1 such as GET out-r/a/out.txt"
    told = traffic_problem(TRAFFIC, uploaded, staged=STAGED, brought=BROUGHT)
    assert told == "asked again: 1 such as PUT in-r/2"
    assert requests_problem(fetched, staged=STAGED, brought=BROUGHT, kills=1) is None
    told = requests_problem(fetched, staged=STAGED, brought=BROUGHT, kills=0)
    assert told == "asked never or too often: 1 such as GET out-r/a/out.txt"
    assert requests_problem({}, staged=STAGED, brought=(), kills=0) is not None
