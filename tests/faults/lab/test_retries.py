"""Failed tasks run again by the class of their failure, each ends once, and what failed can be run alone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from orchestrator import (
    FailureClass,
    JobRun,
    JobSpec,
    Orchestrator,
    RunOutcome,
    TaskCompleted,
    TaskEvent,
    TaskFailed,
    TaskRequeued,
    TaskSucceeded,
)
from orchestrator.errors import SpecError, TooManyFailedError
from orchestrator.local.faults import FaultLab
from orchestrator.results import JobResult
from tests.faults.lab.conftest import Make, Open

UPLOAD_FAILS = {"fault": {"kind": "fail_transfer", "trouble": "other"}, "on": ["blob_upload"]}


async def run_through(
    orchestrator: Orchestrator, spec: JobSpec, only_failed: Path | None = None
) -> tuple[JobRun, JobResult, list[TaskEvent]]:
    told: list[TaskEvent] = []
    async with orchestrator:
        orchestrator.on(TaskEvent, told.append)
        run = await orchestrator.submit(spec, only_failed=only_failed)
        result = await run.wait()
    return run, result, told


async def test_a_task_whose_upload_failed_runs_again_and_its_one_end_is_a_success(
    open_orchestrator: Open, make_job: Make, lab: FaultLab
) -> None:
    lab.add({**UPLOAD_FAILS, "count": 2, "match": {"task": "t0"}})
    tasks = [
        {"id": f"t{number}", "command_line": "echo hello > out.txt", "output_files": ["out.txt"]}
        for number in range(3)
    ]
    _, result, told = await run_through(open_orchestrator(), make_job(tasks=tasks, retries={"storage": 2}))
    assert (result.outcome, result.succeeded, result.leftovers) == (RunOutcome.SUCCEEDED, 3, ())
    again = [event for event in told if isinstance(event, TaskRequeued)]
    assert [(event.key.task_id, event.reason) for event in again] == [("t0", FailureClass.STORAGE)] * 2
    ends = [event.key.task_id for event in told if isinstance(event, TaskCompleted)]
    assert sorted(ends) == ["t0", "t1", "t2"]


async def test_a_task_that_fails_more_often_than_its_class_allows_ends_as_a_failure(
    open_orchestrator: Open, make_job: Make, lab: FaultLab
) -> None:
    rule = lab.add(UPLOAD_FAILS)
    tasks = [{"id": "t", "command_line": "echo hello > out.txt", "output_files": ["out.txt"]}]
    _, result, told = await run_through(open_orchestrator(), make_job(tasks=tasks, retries={"storage": 1}))
    assert (result.outcome, result.failed) == (RunOutcome.TASKS_FAILED, 1)
    kinds = [type(event) for event in told if isinstance(event, TaskRequeued | TaskCompleted)]
    assert kinds == [TaskRequeued, TaskFailed]
    assert lab.fired(rule) == 2


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param({"kind": "drop_answer"}, id="asked again while it runs"),
        pytest.param({"kind": "time_out_after_work", "seconds": 3}, id="asked again when it has succeeded"),
    ],
)
async def test_a_reactivation_whose_answer_is_lost_runs_the_task_once_more_and_not_twice(
    open_orchestrator: Open, make_job: Make, lab: FaultLab, fault: dict[str, object]
) -> None:
    lab.add({**UPLOAD_FAILS, "count": 1, "name": "upload"})
    lab.add({"fault": fault, "on": ["reactivate_task"], "count": 1, "name": "lost"})
    tasks = [{"id": "t", "command_line": "echo hello > out.txt", "output_files": ["out.txt"]}]
    _, result, told = await run_through(open_orchestrator(), make_job(tasks=tasks, retries={"storage": 3}))
    assert (result.outcome, result.succeeded) == (RunOutcome.SUCCEEDED, 1)
    assert lab.fired("lost") == 1
    assert [type(e) for e in told if isinstance(e, TaskRequeued | TaskCompleted)] == [
        TaskRequeued,
        TaskSucceeded,
    ]


async def test_a_reactivation_that_is_put_off_for_long_is_tried_again(
    open_orchestrator: Open, make_job: Make, lab: FaultLab
) -> None:
    lab.add({**UPLOAD_FAILS, "count": 1, "name": "upload"})
    lab.add({"fault": {"kind": "refuse", "status": 503}, "on": ["reactivate_task"], "count": 8})
    tasks = [{"id": "t", "command_line": "echo hello > out.txt", "output_files": ["out.txt"]}]
    _, result, _ = await run_through(
        open_orchestrator(attempts=2), make_job(tasks=tasks, retries={"storage": 1})
    )
    assert (result.outcome, result.succeeded) == (RunOutcome.SUCCEEDED, 1)


async def test_what_the_command_fails_at_is_not_run_again(open_orchestrator: Open, make_job: Make) -> None:
    tasks = [{"id": "t", "command_line": "exit 3"}]
    retries = {"infrastructure": 3, "storage": 3, "service": 3, "unknown": 3}
    _, result, told = await run_through(open_orchestrator(), make_job(tasks=tasks, retries=retries))
    assert (result.outcome, result.failed, result.leftovers) == (RunOutcome.TASKS_FAILED, 1, ())
    assert [event for event in told if isinstance(event, TaskRequeued)] == []


async def test_too_many_failures_end_the_run_and_give_up_the_rest(
    open_orchestrator: Open, make_job: Make
) -> None:
    tasks = [{"id": f"bad{number}", "command_line": "exit 1"} for number in range(3)]
    tasks += [{"id": f"slow{number}", "command_line": "sleep 50"} for number in range(4)]
    run, result, _ = await run_through(open_orchestrator(), make_job(tasks=tasks, max_failed_tasks=2))
    assert result.outcome is RunOutcome.TOO_MANY_FAILED
    assert isinstance(run.error, TooManyFailedError)
    assert "max_failed_tasks is 2" in str(run.error)
    assert result.abandoned >= 4
    assert result.failed + result.succeeded + result.abandoned == 7
    assert result.leftovers == ()


async def test_what_failed_is_listed_and_can_be_run_alone_into_the_same_folders(
    open_orchestrator: Open, make_job: Make, tmp_path: Path
) -> None:
    for number in range(4):
        (tmp_path / f"in{number}.txt").write_text("bad" if number == 2 else "good")
    factory = {
        "per_file": "in*.txt",
        "id": "t-{index}",
        "command_line": "grep good {file} > out.txt",
        "output_files": ["out.txt"],
    }
    spec = make_job(id="again", pool={"id": "pool-{run}"}, task_factory=factory)
    _, result, _ = await run_through(open_orchestrator(), spec)
    assert (result.outcome, result.failed) == (RunOutcome.TASKS_FAILED, 1)
    listed = tmp_path / "results" / "again" / "failed.json"
    (entry,) = json.loads(listed.read_text())["failed"]
    assert (entry["task"], entry["input"]) == ("t-2", str(tmp_path / "in2.txt"))
    assert (entry["cause"], entry["code"], entry["exit_code"]) == ("user", "FailureExitCode", 1)

    (tmp_path / "in2.txt").write_text("good at last")
    _, result, told = await run_through(open_orchestrator(), spec, only_failed=listed)
    assert (result.outcome, result.tasks, result.succeeded) == (RunOutcome.SUCCEEDED, 1, 1)
    assert {event.key.task_id for event in told} == {"t-2"}
    assert (tmp_path / "results" / "again" / "t-2" / "out.txt").read_text() == "good at last\n"
    assert (tmp_path / "results" / "again" / "t-0" / "out.txt").read_text() == "good\n"
    assert not listed.exists()


async def test_a_list_of_other_tasks_is_refused_before_anything_is_created(
    open_orchestrator: Open, make_job: Make, tmp_path: Path
) -> None:
    listed = tmp_path / "failed.json"
    listed.write_text('{"version": 1, "failed": [{"task": "other", "input": null}]}')
    async with open_orchestrator() as orchestrator:
        with pytest.raises(SpecError, match="none of the tasks"):
            await orchestrator.submit(
                make_job(tasks=[{"id": "t", "command_line": "true"}]), only_failed=listed
            )
