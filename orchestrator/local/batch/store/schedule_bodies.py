"""Bodies of job schedules.

Sources of facts: recorded (order, which is another than in a job, and defaults); the REST page "Add a job
schedule to an account".
"""

from __future__ import annotations

from typing import Any, Final

from orchestrator.local.batch.store.command_bodies import metadata_items
from orchestrator.local.batch.store.job_bodies import COMMON, check_job
from orchestrator.local.batch.store.shape import Member, Shape, identifier, instant, span, text
from orchestrator.local.wire.api_error import invalid_property
from orchestrator.local.wire.times import parse_timestamp

_ORDER: Final = (
    "priority",
    "maxParallelTasks",
    "allowTaskPreemption",
    "usesTaskDependencies",
    "onAllTasksComplete",
    "onTaskFailure",
    "constraints",
    "jobManagerTask",
    "jobPreparationTask",
    "jobReleaseTask",
    "commonEnvironmentSettings",
    "poolInfo",
    "networkConfiguration",
    "metadata",
)

_job_specification = Shape({"displayName": text(1024), **{name: COMMON[name] for name in _ORDER}})


def _job(value: Any, name: str) -> dict[str, Any]:
    wire = _job_specification(value, name)
    check_job(wire)
    return wire


_times = Shape(
    {"doNotRunUntil": instant, "doNotRunAfter": instant, "startWindow": span(), "recurrenceInterval": span()}
)
"""How short the durations may be is the service's setting."""


def _schedule(value: Any, name: str) -> dict[str, Any]:
    wire = _times(value, name)
    first, last = (wire.get(one) for one in ("doNotRunUntil", "doNotRunAfter"))
    if first and last and parse_timestamp(last) <= parse_timestamp(first):
        raise invalid_property("doNotRunAfter", last, "It must be after doNotRunUntil")
    return wire


schedule_body = Shape(
    {
        "id": Member(identifier, required=True),
        "displayName": text(1024),
        "schedule": Member(_schedule, required=True),
        "jobSpecification": Member(_job, required=True),
        "metadata": metadata_items,
    }
)
schedule_patch = Shape({"schedule": _schedule, "jobSpecification": _job, "metadata": metadata_items})
schedule_replacement = Shape(
    {
        "schedule": Member(_schedule, required=True),
        "jobSpecification": Member(_job, required=True),
        "metadata": metadata_items,
    }
)
