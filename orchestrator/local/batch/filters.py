"""What each collection can be filtered by.

Source of facts: the REST page "OData filters in Batch".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from orchestrator.local.batch.store.records import JobRecord, NodeRecord, PoolRecord, TaskRecord
from orchestrator.local.batch.store.schedules import ScheduleRecord
from orchestrator.local.batch.store.states import TaskState
from orchestrator.local.wire.odata import EQUAL, SAME, Field, Kind
from orchestrator.local.wire.times import parse_timestamp

TASK_FILTERS: Final[Mapping[str, Field[TaskRecord]]] = {
    "id": Field(Kind.TEXT, lambda task: task.id, startswith=True),
    "state": Field(Kind.ENUM, lambda task: task.state, SAME),
    "stateTransitionTime": Field(Kind.INSTANT, lambda task: task.state_since),
    "creationTime": Field(Kind.INSTANT, lambda task: task.created),
    # The documented name is the odd one; lastModified is taken too, since clients use what they see.
    "lastModifiedTime": Field(Kind.INSTANT, lambda task: task.modified),
    "lastModified": Field(Kind.INSTANT, lambda task: task.modified),
    "executionInfo/startTime": Field(Kind.INSTANT, lambda task: task.started or None),
    "executionInfo/endTime": Field(Kind.INSTANT, lambda task: task.ended or None),
    "executionInfo/exitCode": Field(Kind.INTEGER, lambda task: task.exit_code),
    "executionInfo/result": Field(
        Kind.ENUM,
        lambda task: (
            None if task.state is not TaskState.COMPLETED else ("success" if task.succeeded else "failure")
        ),
        SAME,
    ),
}

JOB_FILTERS: Final[Mapping[str, Field[JobRecord]]] = {
    "id": Field(Kind.TEXT, lambda job: job.id, startswith=True),
    "state": Field(Kind.ENUM, lambda job: job.state, SAME),
    "stateTransitionTime": Field(Kind.INSTANT, lambda job: job.state_since),
    "creationTime": Field(Kind.INSTANT, lambda job: job.created),
    "lastModified": Field(Kind.INSTANT, lambda job: job.modified),
    "executionInfo/startTime": Field(Kind.INSTANT, lambda job: job.started or None),
    "executionInfo/endTime": Field(Kind.INSTANT, lambda job: job.ended or None),
    "executionInfo/poolId": Field(Kind.TEXT, lambda job: job.pool_id, startswith=True),
}

POOL_FILTERS: Final[Mapping[str, Field[PoolRecord]]] = {
    "id": Field(Kind.TEXT, lambda pool: pool.id, startswith=True),
    "state": Field(Kind.ENUM, lambda pool: pool.state, SAME),
    "stateTransitionTime": Field(Kind.INSTANT, lambda pool: pool.state_since),
    "allocationState": Field(Kind.ENUM, lambda pool: pool.allocation, SAME),
    "allocationStateTransitionTime": Field(Kind.INSTANT, lambda pool: pool.allocation_since),
    "creationTime": Field(Kind.INSTANT, lambda pool: pool.created),
    "lastModified": Field(Kind.INSTANT, lambda pool: pool.modified),
    "enableAutoScale": Field(Kind.BOOLEAN, lambda pool: pool.spec["enableAutoScale"], SAME),
    "enableInterNodeCommunication": Field(
        Kind.BOOLEAN, lambda pool: pool.spec["enableInterNodeCommunication"], SAME
    ),
    "vmSize": Field(Kind.ENUM, lambda pool: pool.spec["vmSize"], SAME),
}

SCHEDULE_FILTERS: Final[Mapping[str, Field[ScheduleRecord]]] = {
    "id": Field(Kind.TEXT, lambda schedule: schedule.id, startswith=True),
    "state": Field(Kind.ENUM, lambda schedule: schedule.state, SAME),
    "stateTransitionTime": Field(Kind.INSTANT, lambda schedule: schedule.state_since),
    "creationTime": Field(Kind.INSTANT, lambda schedule: schedule.created),
    "lastModified": Field(Kind.INSTANT, lambda schedule: schedule.modified),
    "executionInfo/endTime": Field(Kind.INSTANT, lambda schedule: schedule.ended or None),
    "schedule/doNotRunUntil": Field(Kind.INSTANT, lambda schedule: _instant(schedule, "doNotRunUntil")),
    "schedule/doNotRunAfter": Field(Kind.INSTANT, lambda schedule: _instant(schedule, "doNotRunAfter")),
}


def _instant(schedule: ScheduleRecord, name: str) -> int | None:
    stated = schedule.spec["schedule"].get(name)
    return None if stated is None else parse_timestamp(stated)


NODE_FILTERS: Final[Mapping[str, Field[NodeRecord]]] = {
    "state": Field(Kind.ENUM, lambda node: node.state, SAME),
    "stateTransitionTime": Field(Kind.INSTANT, lambda node: node.state_since),
    "lastBootTime": Field(Kind.INSTANT, lambda node: node.booted or None),
    "allocationTime": Field(Kind.INSTANT, lambda node: node.allocated),
    "startTaskInfo/state": Field(
        Kind.ENUM,
        lambda node: None if node.start_run is None else ("completed" if node.start_run.ended else "running"),
        SAME,
    ),
    "startTaskInfo/result": Field(
        Kind.ENUM,
        lambda node: (
            None
            if node.start_run is None or not node.start_run.ended
            else ("success" if node.start_run.succeeded else "failure")
        ),
        SAME,
    ),
    "startTaskInfo/exitCode": Field(
        Kind.INTEGER, lambda node: None if node.start_run is None else node.start_run.exit_code
    ),
    "startTaskInfo/startTime": Field(
        Kind.INSTANT, lambda node: None if node.start_run is None else node.start_run.started
    ),
    "startTaskInfo/endTime": Field(
        Kind.INSTANT, lambda node: None if node.start_run is None else node.start_run.ended or None
    ),
}

FILE_FILTERS: Final[Mapping[str, Field[str]]] = {
    "name": Field(Kind.TEXT, lambda name: name, SAME, startswith=True)
}

COUNT_FILTERS: Final[Mapping[str, Field[PoolRecord]]] = {
    "poolId": Field(Kind.ENUM, lambda pool: pool.id, EQUAL),
}
