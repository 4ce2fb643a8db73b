"""Handlers of jobs."""

from __future__ import annotations

from typing import Any

from orchestrator.local.batch.account import Account
from orchestrator.local.batch.errors import (
    job_being_deleted,
    job_exists,
    job_has_no_preparation_or_release,
    job_schedule_with_same_id_exists,
    operation_invalid_now,
)
from orchestrator.local.batch.filters import JOB_FILTERS
from orchestrator.local.batch.job_births import tune
from orchestrator.local.batch.pages import check_expand, list_page
from orchestrator.local.batch.runtime import JobRuntime
from orchestrator.local.batch.store.creation import check_open, make_job
from orchestrator.local.batch.store.job_bodies import (
    job_disable,
    job_patch,
    job_replacement,
    job_terminate,
)
from orchestrator.local.batch.store.records import JobRecord
from orchestrator.local.batch.store.states import JobState
from orchestrator.local.batch.store.views import (
    JOB_MEMBERS,
    PREPARATION_STATUS_MEMBERS,
    job_wire,
    preparation_status_wire,
)
from orchestrator.local.wire import times
from orchestrator.local.wire.api_error import invalid_property, not_implemented
from orchestrator.local.wire.call import Call, Reply, created, done, element
from orchestrator.local.wire.conditions import check_conditions
from orchestrator.local.wire.paging import Selection


def _job(account: Account, call: Call) -> JobRuntime:
    return account.job(call.parameters["jobId"])


def _for_write(account: Account, call: Call) -> JobRuntime:
    job = _job(account, call)
    check_conditions(call.headers, modified=job.record.modified, reading=False)
    if job.record.state is JobState.DELETING:
        raise job_being_deleted()
    return job


async def create(account: Account, call: Call) -> Reply:
    """POST /jobs."""
    record = make_job(call.json(), account.next_job_sequence(), arrived=call.at, at=times.now())
    existing = account.has_job(record.id)
    if existing is not None:
        raise job_being_deleted() if existing.record.state is JobState.DELETING else job_exists()
    if account.has_schedule(record.id) is not None:
        raise job_schedule_with_same_id_exists()
    account.check_job_quota()
    account.births.begin(record)
    # The service tells this address whatever the job's id is (recorded in every version).
    return created(f"{call.account_url}/jobs/job-1", record.modified)


async def list_all(account: Account, call: Call) -> Reply:
    """GET /jobs."""
    return list_page(
        call,
        "jobs",
        account.job_records.after,
        lambda job: job_wire(job, call.account_url),
        fields=JOB_FILTERS,
        members=JOB_MEMBERS,
    )


async def get(account: Account, call: Call) -> Reply:
    """GET /jobs/{jobId}."""
    selection = Selection(call.query.get("$select"), JOB_MEMBERS)
    check_expand(call)
    job = _job(account, call).record
    check_conditions(call.headers, modified=job.modified, reading=True)
    return element(call, "jobs/@Element", selection.apply(job_wire(job, call.account_url)), job.modified)


async def patch(account: Account, call: Call) -> Reply:
    """PATCH /jobs/{jobId}: a member that is given replaces the old one whole."""
    change = job_patch(call.json(), "")
    job = _for_write(account, call)
    _update(account, job, change, {**job.record.spec, **change})
    return done(200, service_id=call.url, modified=job.record.modified)


async def replace(account: Account, call: Call) -> Reply:
    """PUT /jobs/{jobId}: what is left out goes back to its default."""
    change = job_replacement(call.json(), "")
    job = _for_write(account, call)
    kept = {name: value for name, value in job.record.spec.items() if name != "metadata"}
    _update(account, job, change, {**kept, **change})
    return done(200, service_id=call.url, modified=job.record.modified)


def _update(account: Account, job: JobRuntime, change: dict[str, Any], spec: dict[str, Any]) -> None:
    record = job.record
    check_open(record)
    old_mode, new_mode = record.spec["onAllTasksComplete"], spec["onAllTasksComplete"]
    if old_mode == "terminatejob" and new_mode == "noaction":
        raise invalid_property(
            "onAllTasksComplete", new_mode, "It can't go back from terminatejob to noaction"
        )
    moved = _moves(record, spec["poolInfo"])
    if moved and record.state is not JobState.DISABLED:
        raise operation_invalid_now("poolInfo can be changed only while the job is disabled")
    order = (*_ORDER, *(name for name in spec if name not in _ORDER))
    if moved:
        account.births.bury(job)
        record.auto_pool_id = None
    record.spec = {name: spec[name] for name in order if name in spec}
    record.modified = times.now()
    tune(job)
    if moved:
        account.dispatch.bind(job)
    if "constraints" in change:
        account.endings.restart_clock(job)
    account.dispatch.schedule(record.pool_id)
    account.endings.check_complete(job)


def _moves(record: JobRecord, pool: dict[str, Any]) -> bool:
    if "poolId" in pool:
        return bool(pool["poolId"].lower() != record.pool_id.lower())
    if record.auto_pool_id is None:
        raise not_implemented("a change from another pool to an auto pool")
    return False  # the pool that it brought goes on as it was made


_ORDER = (
    "displayName",
    "priority",
    "maxParallelTasks",
    "usesTaskDependencies",
    "allowTaskPreemption",
    "constraints",
    "jobManagerTask",
    "jobPreparationTask",
    "jobReleaseTask",
    "commonEnvironmentSettings",
    "poolInfo",
    "metadata",
    "onAllTasksComplete",
    "onTaskFailure",
)


async def delete(account: Account, call: Call) -> Reply:
    """DELETE /jobs/{jobId}: the ETag does not move (recorded)."""
    job = _for_write(account, call)
    account.endings.delete(job, times.now())
    return done(202)


async def disable(account: Account, call: Call) -> Reply:
    """POST /jobs/{jobId}/disable."""
    option = job_disable(call.json(), "")["disableTasks"]
    job = _for_write(account, call)
    check_open(job.record)
    job.record.modified = times.now()
    account.endings.disable(job, option, job.record.modified)
    return done(202, service_id=call.url, modified=job.record.modified)


async def enable(account: Account, call: Call) -> Reply:
    """POST /jobs/{jobId}/enable."""
    job = _for_write(account, call)
    check_open(job.record)
    if job.record.state is not JobState.DISABLED:
        raise operation_invalid_now("Only a disabled job can be enabled")
    job.record.modified = times.now()
    account.endings.enable(job, job.record.modified)
    return done(202, service_id=call.url, modified=job.record.modified)


async def terminate(account: Account, call: Call) -> Reply:
    """POST /jobs/{jobId}/terminate."""
    reason = job_terminate(call.json(), "").get("terminateReason", "UserTerminate")
    job = _for_write(account, call)
    check_open(job.record)
    job.record.modified = times.now()
    account.endings.terminate(job, reason, job.record.modified)
    return done(202, service_id=call.url, modified=job.record.modified)


async def list_preparation_status(account: Account, call: Call) -> Reply:
    """GET /jobs/{jobId}/jobpreparationandreleasetaskstatus."""
    job = _job(account, call).record
    if "jobPreparationTask" not in job.spec and "jobReleaseTask" not in job.spec:
        raise job_has_no_preparation_or_release()
    places = {node: (pool, node) for pool, node in [*job.preparations, *job.releases]}

    def walk(start: str | None) -> list[tuple[str, tuple[str, str]]]:
        return [(node, places[node]) for node in sorted(places) if start is None or node > start]

    return list_page(
        call,
        "jobpreparationandreleasetaskstatuslist",
        walk,
        lambda place: _status(job, place, call.account_url),
        members=PREPARATION_STATUS_MEMBERS,
    )


def _status(job: JobRecord, place: tuple[str, str], account_url: str) -> dict[str, Any]:
    return preparation_status_wire(job, place[0], place[1], account_url)
