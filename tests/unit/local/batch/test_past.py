from __future__ import annotations

from orchestrator.local.batch.store.creation import make_job, make_task, read_task
from orchestrator.local.batch.store.past import counts_as_of, task_as_of, walk_as_of
from orchestrator.local.batch.store.records import JobRecord, TaskRecord
from orchestrator.local.batch.store.states import TaskState


def job_with_a_finished_task() -> tuple[JobRecord, TaskRecord]:
    """Created at 100, running at 200, completed at 300."""
    job = make_job({"id": "j", "poolInfo": {"poolId": "p"}}, 1, arrived=10, at=10)
    body = {"id": "t", "commandLine": "true"}
    task = make_task(job, body, read_task(body), 100)
    job.move_task(task, TaskState.RUNNING, 200)
    task.started, task.node_id = 200, "n"
    job.move_task(task, TaskState.COMPLETED, 300, failure={"code": "x"})
    task.ended, task.exit_code = 300, 1
    return job, task


def test_a_task_is_shown_as_it_was_and_stays_as_it_is() -> None:
    _, task = job_with_a_finished_task()
    assert task_as_of(task, 99) is None
    active = task_as_of(task, 150)
    running = task_as_of(task, 250)
    assert active is not None
    assert running is not None
    assert (active.state, active.started, active.node_id) == (TaskState.ACTIVE, 0, None)
    assert (running.state, running.previous_state) == (TaskState.RUNNING, TaskState.ACTIVE)
    assert (running.exit_code, running.ended, running.failure) == (None, 0, None)
    assert (running.node_id, running.state_since) == ("n", 200)
    assert task_as_of(task, 300) is task
    assert task.exit_code == 1


def test_a_walk_leaves_out_what_was_not_there_and_without_an_instant_is_itself() -> None:
    job, task = job_with_a_finished_task()
    assert list(walk_as_of(job.tasks.after, 50)(None)) == []
    assert [key for key, _ in walk_as_of(job.tasks.after, 100)(None)] == ["t"]
    assert [shown for _, shown in walk_as_of(job.tasks.after, None)(None)] == [task]


def test_counts_are_those_of_then() -> None:
    job, _ = job_with_a_finished_task()
    assert counts_as_of(job.tasks, 99).tasks["active"] == 0
    assert counts_as_of(job.tasks, 100).tasks["active"] == 1
    assert counts_as_of(job.tasks, 200).tasks["running"] == 1
    now = counts_as_of(job.tasks, 300)
    assert (now.tasks["completed"], now.tasks["failed"]) == (1, 1)
    assert now.tasks == job.counts.tasks
