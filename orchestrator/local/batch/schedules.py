"""Handlers of job schedules."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import takewhile
from typing import Any, Final

from orchestrator.local.batch.account import Account
from orchestrator.local.batch.errors import (
    job_schedule_being_deleted,
    job_schedule_being_terminated,
    job_schedule_completed,
    job_schedule_exists,
    job_with_same_id_exists,
)
from orchestrator.local.batch.filters import JOB_FILTERS, SCHEDULE_FILTERS
from orchestrator.local.batch.pages import check_expand, list_page, select
from orchestrator.local.batch.schedule_runs import ScheduleRuntime
from orchestrator.local.batch.store.records import JobRecord
from orchestrator.local.batch.store.schedule_bodies import (
    schedule_body,
    schedule_patch,
    schedule_replacement,
)
from orchestrator.local.batch.store.schedules import (
    SCHEDULE_MEMBERS,
    ScheduleRecord,
    ScheduleState,
    schedule_wire,
)
from orchestrator.local.batch.store.views import JOB_MEMBERS, job_wire
from orchestrator.local.wire import times
from orchestrator.local.wire.call import Call, Reply, created, done, element
from orchestrator.local.wire.conditions import check_conditions

_ELEMENT: Final = "jobschedules/@Element"


def _schedule(account: Account, call: Call) -> ScheduleRuntime:
    return account.schedule(call.parameters["jobScheduleId"])


def _for_write(account: Account, call: Call) -> ScheduleRuntime:
    schedule = _schedule(account, call)
    check_conditions(call.headers, modified=schedule.record.modified, reading=False)
    if schedule.record.state is ScheduleState.DELETING:
        raise job_schedule_being_deleted()
    return schedule


def _open(account: Account, call: Call) -> ScheduleRuntime:
    schedule = _for_write(account, call)
    if schedule.record.state is ScheduleState.COMPLETED:
        raise job_schedule_completed()
    if schedule.record.state is ScheduleState.TERMINATING:
        raise job_schedule_being_terminated()
    return schedule


async def create(account: Account, call: Call) -> Reply:
    """POST /jobschedules: the first job is made at once (recorded)."""
    spec = schedule_body(call.json(), "")
    account.check_recurrence(spec)
    at = times.now()
    name: str = spec.pop("id")
    if account.has_job(name) is not None:
        raise job_with_same_id_exists()
    existing = account.has_schedule(name)
    if existing is not None:
        deleting = existing.record.state is ScheduleState.DELETING
        raise job_schedule_being_deleted() if deleting else job_schedule_exists()
    account.check_job_quota()
    record = ScheduleRecord(id=name, spec=spec, created=at, modified=at, state_since=at)
    record.replan(at)
    account.add_schedule(ScheduleRuntime(record))
    return created(f"{call.account_url}/jobschedules/{name}", at)


async def list_all(account: Account, call: Call) -> Reply:
    """GET /jobschedules."""
    return list_page(
        call,
        "jobschedules",
        account.schedule_records.after,
        lambda schedule: schedule_wire(schedule, call.account_url),
        fields=SCHEDULE_FILTERS,
        members=SCHEDULE_MEMBERS,
    )


async def get(account: Account, call: Call) -> Reply:
    """GET /jobschedules/{jobScheduleId}."""
    selection = select(call, _ELEMENT, SCHEDULE_MEMBERS)
    check_expand(call)
    record = _schedule(account, call).record
    check_conditions(call.headers, modified=record.modified, reading=True)
    wire = selection.apply(schedule_wire(record, call.account_url))
    return element(call, _ELEMENT, wire, record.modified)


async def exists(account: Account, call: Call) -> Reply:
    """HEAD /jobschedules/{jobScheduleId}."""
    record = _schedule(account, call).record
    check_conditions(call.headers, modified=record.modified, reading=True)
    return done(200, modified=record.modified)


async def patch(account: Account, call: Call) -> Reply:
    """PATCH /jobschedules/{jobScheduleId}: a member that is given replaces the old one whole."""
    change = schedule_patch(call.json(), "")
    schedule = _open(account, call)
    return _update(account, call, schedule, {**schedule.record.spec, **change})


async def replace(account: Account, call: Call) -> Reply:
    """PUT /jobschedules/{jobScheduleId}: jobs that are there already stay as they are."""
    change = schedule_replacement(call.json(), "")
    schedule = _open(account, call)
    kept = {name: value for name, value in schedule.record.spec.items() if name == "displayName"}
    return _update(account, call, schedule, {**kept, **change})


def _update(account: Account, call: Call, schedule: ScheduleRuntime, spec: dict[str, Any]) -> Reply:
    account.check_recurrence(spec)
    record = schedule.record
    retimed = spec["schedule"] != record.spec["schedule"]
    record.spec = spec
    record.modified = times.now()
    if retimed:
        record.replan(record.modified)
    schedule.changed.tell()
    return done(200, service_id=call.url, modified=record.modified)


async def disable(account: Account, call: Call) -> Reply:
    """POST /jobschedules/{jobScheduleId}/disable: no more jobs are made for a while."""
    return _switch(account, call, ScheduleState.DISABLED)


async def enable(account: Account, call: Call) -> Reply:
    """POST /jobschedules/{jobScheduleId}/enable."""
    return _switch(account, call, ScheduleState.ACTIVE)


def _switch(account: Account, call: Call, to: ScheduleState) -> Reply:
    schedule = _open(account, call)
    at = times.now()
    if schedule.record.state is not to:
        schedule.record.move(to, at)
    schedule.record.modified = at
    schedule.changed.tell()
    return done(204, service_id=call.url, modified=at)


async def terminate(account: Account, call: Call) -> Reply:
    """POST /jobschedules/{jobScheduleId}/terminate."""
    schedule = _open(account, call)
    schedule.record.modified = times.now()
    account.schedule_runs.terminate(schedule, schedule.record.modified)
    return done(202, service_id=call.url, modified=schedule.record.modified)


async def delete(account: Account, call: Call) -> Reply:
    """DELETE /jobschedules/{jobScheduleId}."""
    account.schedule_runs.delete(_for_write(account, call), times.now())
    return done(202)


async def list_jobs(account: Account, call: Call) -> Reply:
    """GET /jobschedules/{jobScheduleId}/jobs."""
    begin = f"{_schedule(account, call).key}:"

    def walk(start: str | None) -> Iterable[tuple[str, JobRecord]]:
        return takewhile(lambda pair: pair[0].startswith(begin), account.job_records.after(start or begin))

    return list_page(
        call,
        "jobs",
        walk,
        lambda job: job_wire(job, call.account_url),
        fields={name: field for name, field in JOB_FILTERS.items() if name != "id"},
        members=JOB_MEMBERS,
    )
