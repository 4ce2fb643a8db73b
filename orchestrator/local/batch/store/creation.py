"""New records from request bodies.

Sources of facts: recorded (what the service fills in); the REST pages "Add a job" and "Add a task to a job"
(what it refuses).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from orchestrator.local.batch.errors import (
    dependencies_not_specified,
    job_being_deleted,
    job_being_terminated,
    job_completed,
    task_exists,
    task_id_same_as_preparation,
    task_id_same_as_release,
)
from orchestrator.local.batch.store.auto_pools import auto_pool_of, lives_with_schedule
from orchestrator.local.batch.store.job_bodies import check_job, job_body
from orchestrator.local.batch.store.pool_bodies import pool_body
from orchestrator.local.batch.store.records import JobRecord, PoolRecord, TaskRecord
from orchestrator.local.batch.store.schedules import ScheduleRecord
from orchestrator.local.batch.store.states import JobState
from orchestrator.local.batch.store.task_bodies import task_body
from orchestrator.local.wire.api_error import ApiError, invalid_property


def make_pool(body: dict[str, Any], at: int) -> PoolRecord:
    """Make a pool.

    Args:
        body: as decoded.
        at: when.

    Raises:
        ApiError: for what is wrong with the body.
    """
    spec = pool_body(body)
    return PoolRecord(
        id=spec.pop("id"), spec=spec, created=at, modified=at, state_since=at, allocation_since=at
    )


def make_job(body: dict[str, Any], sequence: int, *, arrived: int, at: int) -> JobRecord:
    """Make a job.

    Args:
        body: as decoded.
        sequence: among the account's jobs.
        arrived: when the request came; the job's creationTime (recorded: a little before lastModified).
        at: when.

    Raises:
        ApiError: for what is wrong with the body.
    """
    spec = job_body(body, "")
    check_job(spec)
    auto_pool = auto_pool_of(spec)
    if auto_pool is not None and lives_with_schedule(auto_pool):
        raise invalid_property("poolLifetimeOption", "jobschedule", "The job is in no job schedule")
    return JobRecord(
        id=spec.pop("id"),
        sequence=sequence,
        spec=spec,
        created=arrived,
        modified=at,
        state_since=at,
        started=at,
    )


def make_scheduled_job(schedule: ScheduleRecord, sequence: int, at: int) -> JobRecord:
    """Make the next job of a schedule.

    Args:
        schedule: that has taken note of it.
        sequence: among the account's jobs.
        at: when.
    """
    given = schedule.spec["jobSpecification"]
    return JobRecord(
        id=f"{schedule.id}:job-{schedule.runs}",
        sequence=sequence,
        spec={name: given[name] for name in job_body.names if name in given},
        created=at,
        modified=at,
        state_since=at,
        started=at,
    )


def make_manager_task(job: JobRecord, at: int) -> TaskRecord:
    """Make a job's manager task, which is like any other in lists.

    Args:
        job: that has one, and no task yet.
        at: when.
    """
    given = job.spec["jobManagerTask"]
    spec = {name: given[name] for name in task_body.names if name in given}
    return make_task(job, spec, spec, at)


def read_task(body: Any) -> dict[str, Any]:
    """Check the body of a task by itself.

    Args:
        body: as decoded.

    Returns:
        Its echo, with a mark where its job's retry count is to be filled in.

    Raises:
        ApiError: for what is wrong with it.
    """
    return task_body(body, "task")


def check_open(job: JobRecord) -> None:
    """Refuse what only a job that goes on can take.

    Args:
        job: any.

    Raises:
        ApiError: JobCompleted, JobBeingTerminated or JobBeingDeleted.
    """
    refusals = {
        JobState.COMPLETED: job_completed,
        JobState.TERMINATING: job_being_terminated,
        JobState.DELETING: job_being_deleted,
    }
    refusal = refusals.get(job.state)
    if refusal is not None:
        raise refusal()


def check_task(job: JobRecord, spec: Mapping[str, Any]) -> None:
    """Check a task against its job.

    Args:
        job: that it is to be in.
        spec: echo of its body.

    Raises:
        ApiError: for what does not go together.
    """
    if "dependsOn" in spec and not job.spec["usesTaskDependencies"]:
        raise dependencies_not_specified()
    if "exitConditions" in spec:
        _check_exit_conditions(job, spec["exitConditions"])


def _check_exit_conditions(job: JobRecord, conditions: Mapping[str, Any]) -> None:
    options = [
        one["exitOptions"] for name in ("exitCodes", "exitCodeRanges") for one in conditions.get(name, ())
    ]
    options += [one for name, one in conditions.items() if name not in ("exitCodes", "exitCodeRanges")]
    for one in options:
        if "jobAction" in one and job.spec["onTaskFailure"] == "noaction":
            reason = "It needs a job whose onTaskFailure is performexitoptionsjobaction"
            raise invalid_property("jobAction", one["jobAction"], reason)
        if "dependencyAction" in one and not job.spec["usesTaskDependencies"]:
            reason = "It needs a job with usesTaskDependencies"
            raise invalid_property("dependencyAction", one["dependencyAction"], reason)


def find_task_id_conflict(job: JobRecord, task_id: str) -> ApiError | None:
    """Tell why a job can't have a task of that id.

    Args:
        job: any.
        task_id: wanted.

    Returns:
        The refusal, or None.
    """
    if task_id in job.tasks:
        return task_exists()
    for member, refusal in (
        ("jobPreparationTask", task_id_same_as_preparation),
        ("jobReleaseTask", task_id_same_as_release),
    ):
        if member in job.spec and job.spec[member]["id"].lower() == task_id.lower():
            return refusal()
    return None


def make_task(job: JobRecord, body: Mapping[str, Any], spec: dict[str, Any], at: int) -> TaskRecord:
    """Make a task in its job.

    Args:
        job: that takes it; the id is free.
        body: as decoded.
        spec: its echo.
        at: when.
    """
    retries = job.spec["constraints"]["maxTaskRetryCount"]
    stated = body.get("constraints") or {}
    if retries and stated.get("maxTaskRetryCount") is None:
        spec["constraints"] = {**spec["constraints"], "maxTaskRetryCount": retries}
    task = TaskRecord(
        id=spec.pop("id"),
        job_id=job.id,
        sequence=next(job.sequences),
        spec=spec,
        slots=spec["requiredSlots"],
        created=at,
        modified=at,
        state_since=at,
    )
    task.notes = job.task_changes
    job.add_task(task)
    return task
