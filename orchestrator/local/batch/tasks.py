"""Handlers of tasks."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any, Final

import anyio
import anyio.lowlevel

from orchestrator.local.batch.account import Account
from orchestrator.local.batch.errors import (
    task_completed,
    task_not_completed,
    task_not_found,
    task_succeeded,
)
from orchestrator.local.batch.filters import TASK_FILTERS
from orchestrator.local.batch.leftovers import remove_folder
from orchestrator.local.batch.pages import Walk, check_expand, list_page
from orchestrator.local.batch.runtime import JobRuntime
from orchestrator.local.batch.store.creation import (
    check_open,
    check_task,
    find_task_id_conflict,
    make_task,
    read_task,
)
from orchestrator.local.batch.store.outcomes import TASK_ENDED, Ending
from orchestrator.local.batch.store.past import counts_as_of, task_as_of, walk_as_of
from orchestrator.local.batch.store.records import JobRecord, TaskRecord
from orchestrator.local.batch.store.states import TaskState
from orchestrator.local.batch.store.task_bodies import (
    DEFAULT_TASK_CONSTRAINTS,
    task_collection,
    task_replacement,
)
from orchestrator.local.batch.store.views import TASK_MEMBERS, task_directory, task_wire
from orchestrator.local.batch.versions import task_counts
from orchestrator.local.wire import times
from orchestrator.local.wire.api_error import ApiError, invalid_property
from orchestrator.local.wire.call import Call, Reply, created, done, element, listing
from orchestrator.local.wire.conditions import check_conditions
from orchestrator.local.wire.odata import Bounds, Filter
from orchestrator.local.wire.paging import Selection
from orchestrator.local.wire.times import etag, timestamp

_MOST_IN_COLLECTION: Final = 100


def _task(account: Account, call: Call) -> tuple[JobRuntime, TaskRecord]:
    return account.task(call.parameters["jobId"], call.parameters["taskId"])


async def create(account: Account, call: Call) -> Reply:
    """POST /jobs/{jobId}/tasks."""
    body = call.json()
    spec = read_task(body)
    job = account.job(call.parameters["jobId"])
    check_open(job.record)
    check_task(job.record, spec)
    conflict = find_task_id_conflict(job.record, spec["id"])
    if conflict is not None:
        raise conflict
    task = make_task(job.record, body, spec, times.now())
    account.dispatch.admit(job, [task])
    return created(f"{call.account_url}/jobs/{job.record.id}/tasks/{task.id}", task.modified)


async def create_collection(account: Account, call: Call) -> Reply:
    """POST /jobs/{jobId}/addtaskcollection."""
    bodies = task_collection(call.json(), "")["value"]
    if len(bodies) > _MOST_IN_COLLECTION:
        reason = f"A collection may not have more than {_MOST_IN_COLLECTION} tasks"
        raise invalid_property("value", str(len(bodies)), reason)
    specs = [read_task(body) for body in bodies]
    job = account.job(call.parameters["jobId"])
    check_open(job.record)
    base = f"{call.account_url}/jobs/{job.record.id}/tasks/"
    results: list[Mapping[str, Any]] = []
    added: list[TaskRecord] = []
    for body, spec in zip(bodies, specs, strict=True):
        name: str = spec["id"]
        try:
            check_task(job.record, spec)
            conflict = find_task_id_conflict(job.record, name)
            if conflict is not None:
                raise conflict
        except ApiError as refusal:
            results.append(_refused(call, refusal, base, name))
            continue
        task = make_task(job.record, body, spec, times.now())
        added.append(task)
        results.append(
            {
                "status": "Success",
                "taskId": name,
                "eTag": etag(task.modified),
                "lastModified": timestamp(task.modified),
                "location": base + name,
            }
        )
    account.dispatch.admit(job, added)
    # The service answers in the order in which it got done (recorded): nobody may rely on the request's.
    random.shuffle(results)
    return listing(call, "taskaddresult", results)


def _refused(call: Call, refusal: ApiError, base: str, name: str) -> Mapping[str, Any]:
    message = {"lang": "en-US", "value": refusal.text(call.request_id, call.at)}
    error: dict[str, Any] = {"code": refusal.code, "message": message}
    if refusal.values:
        error["values"] = [{"key": key, "value": value} for key, value in refusal.values.items()]
    return {
        "error@odata.navigationLinkUrl": f"{base}{name}/error",
        "status": "ClientError",
        "taskId": name,
        "error": error,
    }


async def list_all(account: Account, call: Call) -> Reply:
    """GET /jobs/{jobId}/tasks."""
    job = account.job(call.parameters["jobId"])
    return list_page(
        call,
        "tasks",
        walk_as_of(job.record.tasks.after, call.as_of),
        lambda task: task_wire(task, call.account_url),
        fields=TASK_FILTERS,
        members=TASK_MEMBERS,
        # How tasks were a while ago is no business of an index.
        narrow=partial(_narrowed, job.record) if call.as_of is None else None,
    )


def _narrowed(job: JobRecord, wanted: Filter[TaskRecord]) -> Walk[TaskRecord]:
    states = wanted.among.get("state")
    first, last = wanted.bounds.get("stateTransitionTime", Bounds())
    if states is None and first is None and last is None:
        return job.tasks.after

    def walk(start: str | None) -> Iterator[tuple[str, TaskRecord]]:
        for key in job.index.walk(start, states=states, first=first, last=last):
            task = job.tasks.get(key)
            if task is not None:
                yield key, task

    return walk


async def get(account: Account, call: Call) -> Reply:
    """GET /jobs/{jobId}/tasks/{taskId}."""
    selection = Selection(call.query.get("$select"), TASK_MEMBERS)
    check_expand(call)
    _, task = _task(account, call)
    shown = task if call.as_of is None else task_as_of(task, call.as_of)
    if shown is None:
        raise task_not_found()
    task = shown
    check_conditions(call.headers, modified=task.modified, reading=True)
    return element(call, "tasks/@Element", selection.apply(task_wire(task, call.account_url)), task.modified)


async def replace(account: Account, call: Call) -> Reply:
    """PUT /jobs/{jobId}/tasks/{taskId}: constraints only."""
    constraints = task_replacement(call.json(), "")["constraints"]
    job, task = _task(account, call)
    check_conditions(call.headers, modified=task.modified, reading=False)
    check_open(job.record)
    if task.state is TaskState.COMPLETED:
        raise task_completed()
    task.spec = {
        name: (constraints or DEFAULT_TASK_CONSTRAINTS) if name == "constraints" else value
        for name, value in task.spec.items()
    }
    task.modified = times.now()
    return done(200, service_id=call.url, modified=task.modified)


async def delete(account: Account, call: Call) -> Reply:
    """DELETE /jobs/{jobId}/tasks/{taskId}."""
    job, task = _task(account, call)
    check_conditions(call.headers, modified=task.modified, reading=False)
    attempt = job.attempts.get(task.id.lower())
    if attempt is not None:
        account.dispatch.stop(attempt, Ending.DELETED)
        await attempt.settled.wait()
    if job.record.tasks.get(task.id) is task:
        job.record.remove_task(task)
        job.queue.ready.discard(task.id.lower())
    await _remove_files(account, task)
    account.endings.check_complete(job)
    return done(200)


async def _remove_files(account: Account, task: TaskRecord) -> None:
    pool = account.has_pool(task.pool_id) if task.pool_id is not None else None
    machine = pool.machines.get(task.node_id or "") if pool is not None else None
    if machine is not None:
        await remove_folder(machine, task_directory(task.job_id, task.id))


async def terminate(account: Account, call: Call) -> Reply:
    """POST /jobs/{jobId}/tasks/{taskId}/terminate."""
    job, task = _task(account, call)
    check_conditions(call.headers, modified=task.modified, reading=False)
    check_open(job.record)
    if task.state is TaskState.COMPLETED:
        raise task_completed()
    attempt = job.attempts.get(task.id.lower())
    if attempt is not None:
        account.dispatch.stop(attempt, Ending.TERMINATED)
        await attempt.settled.wait()
        task.modified = times.now()
    else:
        at = times.now()
        job.queue.ready.discard(task.id.lower())
        task.ended = task.modified = at
        task.exit_code = None
        job.record.move_task(task, TaskState.COMPLETED, at, failure=TASK_ENDED)
        account.dispatch.conclude(job, task)
    return done(204, service_id=call.url, modified=task.modified)


async def reactivate(account: Account, call: Call) -> Reply:
    """POST /jobs/{jobId}/tasks/{taskId}/reactivate."""
    job, task = _task(account, call)
    check_conditions(call.headers, modified=task.modified, reading=False)
    check_open(job.record)
    if task.state is not TaskState.COMPLETED:
        raise task_not_completed()
    if task.succeeded:
        raise task_succeeded()
    at = times.now()
    job.record.move_task(task, TaskState.ACTIVE, at)
    task.forget_run()
    task.retry_count = task.requeue_count = 0
    task.last_retry = task.last_requeue = 0
    task.modified = at
    account.dispatch.enqueue(job, task)
    account.dispatch.schedule(job.record.pool_id)
    await anyio.lowlevel.checkpoint()
    return done(204, modified=at)


async def list_subtasks(account: Account, call: Call) -> Reply:
    """GET /jobs/{jobId}/tasks/{taskId}/subtasksinfo: none, since no task has more than one instance."""
    _task(account, call)
    return listing(call, "subtaskinfo", [])


async def counts(account: Account, call: Call) -> Reply:
    """GET /jobs/{jobId}/taskcounts."""
    job = account.job(call.parameters["jobId"])
    record = job.record
    shown = record.counts if call.as_of is None else counts_as_of(record.tasks, call.as_of)
    metadata, wire = task_counts(call.api_version, shown.tasks, shown.slots)
    return element(call, metadata, wire)
