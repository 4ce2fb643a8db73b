"""A task's end and its files become one result; the job settles exactly once."""

from __future__ import annotations

from itertools import permutations
from pathlib import Path

import pytest

from orchestrator.events import (
    Event,
    JobSettled,
    OutputsDownloaded,
    RunInterrupted,
    SubmissionCompleted,
    TaskAbandoned,
    TaskFailed,
    TasksSubmitted,
    TaskSucceeded,
)
from orchestrator.handlers import CollectHandler, TaskOutputs
from orchestrator.results import TaskResult
from orchestrator.states import FailureInfo, RunOutcome, TaskKey, TaskState

FAILURE = FailureInfo(category="usererror", code="FailureExitCode")


def key(task: str) -> TaskKey:
    return TaskKey("job", task)


def succeeded(task: str) -> TaskSucceeded:
    return TaskSucceeded(run_id="run", key=key(task), previous=None, state=TaskState.COMPLETED, exit_code=0)


def failed(task: str) -> TaskFailed:
    return TaskFailed(
        run_id="run", key=key(task), previous=None, state=TaskState.COMPLETED, exit_code=3, failure=FAILURE
    )


def files(task: str, *names: str, missing: tuple[tuple[str, str], ...] = ()) -> OutputsDownloaded:
    return OutputsDownloaded(
        run_id="run", key=key(task), outputs=tuple(map(Path, names)), size=10 * len(names), missing=missing
    )


def taken(*task_ids: str) -> TasksSubmitted:
    return TasksSubmitted(run_id="run", job_id="job", task_ids=task_ids)


def submitted(accepted: int, rejected: int = 0) -> SubmissionCompleted:
    return SubmissionCompleted(run_id="run", job_id="job", accepted=accepted, rejected=rejected)


def abandoned(task: str) -> TaskAbandoned:
    return TaskAbandoned(run_id="run", key=key(task), reason="time limit")


def interrupted(outcome: RunOutcome = RunOutcome.TIMED_OUT) -> RunInterrupted:
    return RunInterrupted(run_id="run", outcome=outcome, reason="time limit")


class Collected:
    """A collect handler with what it delivers and publishes."""

    def __init__(self) -> None:
        self.results: list[TaskResult] = []
        self.settled: list[JobSettled] = []
        self.handler = CollectHandler(
            self.publish, self.deliver, lambda task: TaskOutputs(input_name=f"{task}.in")
        )

    async def publish(self, *events: Event) -> None:
        for event in events:
            assert isinstance(event, JobSettled)
            self.settled.append(event)

    async def deliver(self, result: TaskResult) -> None:
        self.results.append(result)


async def collected(*events: Event) -> Collected:
    made = Collected()
    for event in events:
        await made.handler.handle(event)
    return made


async def test_a_result_joins_the_end_of_a_task_with_its_files() -> None:
    made = await collected(failed("a"), files("a", "x", "y", missing=(("z", "lost"),)))
    (result,) = made.results
    assert result == TaskResult(
        key=key("a"),
        exit_code=3,
        failure=FAILURE,
        input_name="a.in",
        outputs=(Path("x"), Path("y")),
        missing=(("z", "lost"),),
    )
    assert made.settled == []


async def test_a_task_is_not_delivered_before_its_files_are() -> None:
    assert (await collected(succeeded("a"), submitted(1))).results == []


async def test_an_abandoned_task_is_a_result_that_did_not_succeed() -> None:
    (result,) = (await collected(abandoned("a"))).results
    assert not result.succeeded
    assert result.abandoned == "time limit"


@pytest.mark.parametrize(
    "order",
    list(permutations([(taken("a", "b"), submitted(2)), (succeeded("a"), files("a", "x")), abandoned("b")])),
)
async def test_the_job_settles_with_the_last_event_whichever_that_is(order: tuple[object, ...]) -> None:
    made = Collected()
    flat = [event for step in order for event in (step if isinstance(step, tuple) else (step,))]
    for event in flat:
        assert made.settled == []
        assert isinstance(event, Event)
        await made.handler.handle(event)
    (settled,) = made.settled
    assert (settled.accepted, settled.succeeded, settled.failed, settled.abandoned) == (2, 1, 0, 1)
    assert len(made.results) == 2


async def test_the_end_of_another_task_of_the_job_does_not_settle_it() -> None:
    made = await collected(taken("a"), submitted(1), succeeded("foreign"), files("foreign"))
    assert made.settled == []


async def test_a_job_without_tasks_settles_when_submission_is_over() -> None:
    (settled,) = (await collected(submitted(0))).settled
    assert settled.outcome is RunOutcome.SUCCEEDED


async def test_events_that_come_twice_change_nothing() -> None:
    events = [succeeded("a"), files("a", "x"), abandoned("b"), submitted(2)]
    made = await collected(*(event for event in events for _ in range(2)), *events)
    assert len(made.settled) == 1
    assert [result.key.task_id for result in made.results] == ["a", "b"]
    assert (made.handler.succeeded, made.handler.abandoned, made.handler.outputs) == (1, 1, 1)


async def test_a_task_ends_in_one_way_only() -> None:
    made = await collected(succeeded("a"), abandoned("a"), files("a"), abandoned("a"), submitted(1))
    (result,) = made.results
    assert result.succeeded
    assert made.handler.abandoned == 0


@pytest.mark.parametrize(
    ("events", "outcome"),
    [
        ([succeeded("a"), files("a")], RunOutcome.SUCCEEDED),
        ([failed("a"), files("a")], RunOutcome.TASKS_FAILED),
        ([abandoned("a")], RunOutcome.TASKS_FAILED),
        ([succeeded("a"), files("a", missing=(("x", "lost"),))], RunOutcome.OUTPUTS_MISSING),
        ([failed("a"), files("a", missing=(("x", "lost"),))], RunOutcome.TASKS_FAILED),
        ([interrupted(), abandoned("a")], RunOutcome.TIMED_OUT),
        (
            [interrupted(RunOutcome.CANCELLED), interrupted(), succeeded("a"), files("a")],
            RunOutcome.CANCELLED,
        ),
    ],
)
async def test_the_outcome_is_the_worst_that_happened(events: list[Event], outcome: RunOutcome) -> None:
    (settled,) = (await collected(*events, submitted(1))).settled
    assert settled.outcome is outcome


async def test_rejected_tasks_make_the_run_fail() -> None:
    made = await collected(submitted(0, rejected=2))
    assert made.settled[0].outcome is RunOutcome.TASKS_FAILED
    assert made.handler.rejected == 2


async def test_an_interruption_alone_does_not_settle_the_job() -> None:
    assert (await collected(interrupted())).settled == []


async def test_the_job_settles_even_if_a_result_can_not_be_delivered() -> None:
    class Undeliverable(Collected):
        async def deliver(self, result: TaskResult) -> None:
            raise RuntimeError("nobody home")

    made = Undeliverable()
    await made.handler.handle(submitted(1))
    await made.handler.handle(succeeded("a"))
    with pytest.raises(RuntimeError, match="nobody home"):
        await made.handler.handle(files("a", "x"))
    assert len(made.settled) == 1
    assert (made.handler.outputs, made.handler.output_bytes) == (1, 10)
