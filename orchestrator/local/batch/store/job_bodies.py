"""Bodies of jobs.

Source of facts: recorded (order, defaults); the REST pages "Add a job", "Update", "Patch".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from orchestrator.local.batch.store.auto_pools import auto_pool_specification
from orchestrator.local.batch.store.command_bodies import (
    CONTAINERS,
    NONADMIN_POOL_USER,
    PACKAGES,
    WEEK,
    command_line,
    environment_settings,
    metadata_items,
    resource_files,
    user_identity,
)
from orchestrator.local.batch.store.shape import (
    Member,
    Reader,
    Shape,
    choice,
    flag,
    identifier,
    refused,
    span,
    text,
    whole,
)
from orchestrator.local.batch.store.task_bodies import (
    DEFAULT_TASK_CONSTRAINTS,
    output_files,
    task_constraints,
)
from orchestrator.local.wire.api_error import invalid_property, missing_property, not_implemented
from orchestrator.local.wire.times import TICKS_PER_SECOND, UNLIMITED_TEXT

_QUARTER_HOUR: Final = 15 * 60 * TICKS_PER_SECOND

_constraints = Shape(
    {
        "maxWallClockTime": Member(span(), default=UNLIMITED_TEXT),
        "maxTaskRetryCount": Member(whole(-1), default=0),
    }
)
_DEFAULT_CONSTRAINTS: Final = _constraints({}, "constraints")

_preparation = Shape(
    {
        "id": Member(identifier, default="jobpreparation"),
        "commandLine": Member(command_line, required=True),
        "containerSettings": CONTAINERS,
        "resourceFiles": resource_files,
        "environmentSettings": environment_settings,
        "constraints": Member(task_constraints, default=DEFAULT_TASK_CONSTRAINTS),
        "userIdentity": Member(user_identity, default=NONADMIN_POOL_USER),
        "waitForSuccess": Member(flag, default=True),
        "rerunOnNodeRebootAfterSuccess": Member(flag, default=True),
    }
)

_release = Shape(
    {
        "id": Member(identifier, default="jobrelease"),
        "commandLine": Member(command_line, required=True),
        "containerSettings": CONTAINERS,
        "resourceFiles": resource_files,
        "environmentSettings": environment_settings,
        "maxWallClockTime": Member(span(0, _QUARTER_HOUR), default="PT15M"),
        "retentionTime": Member(span(), default=WEEK),
        "userIdentity": Member(user_identity, default=NONADMIN_POOL_USER),
    }
)


def _nodes(value: Any, name: str) -> bool:
    if not flag(value, name):
        raise not_implemented(f"{name}: false (job manager tasks that keep away from some nodes)")
    return True


_manager = Shape(
    {
        "id": Member(identifier, required=True),
        "displayName": text(1024),
        "commandLine": Member(command_line, required=True),
        "containerSettings": CONTAINERS,
        "resourceFiles": resource_files,
        "outputFiles": output_files,
        "environmentSettings": environment_settings,
        "constraints": Member(
            Shape(
                {
                    "maxWallClockTime": Member(span(), default=UNLIMITED_TEXT),
                    "retentionTime": Member(span(), default=WEEK),
                    "maxTaskRetryCount": whole(-1),
                }
            ),
            default={"maxWallClockTime": UNLIMITED_TEXT, "retentionTime": WEEK},
        ),
        "requiredSlots": Member(whole(1, 256), default=1),
        "userIdentity": Member(user_identity, default=NONADMIN_POOL_USER),
        "runExclusive": Member(flag, default=True),
        "applicationPackageReferences": PACKAGES,
        "authenticationTokenSettings": refused("authentication tokens"),
        "allowLowPriorityNode": Member(_nodes, default=True),
        "killJobOnCompletion": Member(flag, default=True),
    }
)

_pool_info = Shape({"poolId": identifier, "autoPoolSpecification": auto_pool_specification})


def _pool(value: Any, name: str) -> dict[str, Any]:
    wire = _pool_info(value, name)
    if not wire:
        raise missing_property("poolId")
    if len(wire) > 1:
        raise invalid_property(
            name, ", ".join(wire), "Exactly one of poolId, autoPoolSpecification is expected"
        )
    return wire


_priority = whole(-1000, 1000)
_parallel = whole(-1)
_on_all = choice("noaction", "terminatejob")
_on_failure = choice("noaction", "performexitoptionsjobaction")

COMMON: Final[Mapping[str, Member | Reader]] = {
    "priority": Member(_priority, default=0),
    "maxParallelTasks": Member(_parallel, default=-1),
    "usesTaskDependencies": Member(flag, default=False),
    "allowTaskPreemption": Member(flag, default=False),
    "constraints": Member(_constraints, default=_DEFAULT_CONSTRAINTS),
    "jobManagerTask": _manager,
    "jobPreparationTask": _preparation,
    "jobReleaseTask": _release,
    "commonEnvironmentSettings": environment_settings,
    "poolInfo": Member(_pool, required=True),
    "networkConfiguration": refused("a network of the job's own"),
    "metadata": metadata_items,
    "onAllTasksComplete": Member(_on_all, default="noaction"),
    "onTaskFailure": Member(_on_failure, default="noaction"),
}

job_body = Shape({"id": Member(identifier, required=True), "displayName": text(1024), **COMMON})

job_patch = Shape(
    {
        "priority": _priority,
        "maxParallelTasks": _parallel,
        "allowTaskPreemption": flag,
        "constraints": _constraints,
        "poolInfo": _pool,
        "networkConfiguration": refused("a network of the job's own"),
        "metadata": metadata_items,
        "onAllTasksComplete": _on_all,
    }
)

job_replacement = Shape(
    {
        "priority": Member(_priority, default=0),
        "maxParallelTasks": Member(_parallel, default=-1),
        "allowTaskPreemption": Member(flag, default=False),
        "constraints": Member(_constraints, default=_DEFAULT_CONSTRAINTS),
        "poolInfo": Member(_pool, required=True),
        "metadata": metadata_items,
        "onAllTasksComplete": _on_all,
    }
)
"""PUT of a job: what is left out goes back to its default (recorded); onAllTasksComplete stays, since it
can't go back."""


def check_job(job: dict[str, Any]) -> None:
    """Check what belongs together, and fill in what a job's manager inherits (recorded).

    Args:
        job: echo of a body; its manager's retries are filled in.

    Raises:
        ApiError: MissingRequiredProperty.
    """
    if "jobReleaseTask" in job and "jobPreparationTask" not in job:
        raise missing_property("jobPreparationTask")
    manager = job.get("jobManagerTask")
    if manager is not None and "maxTaskRetryCount" not in manager["constraints"]:
        retries = job["constraints"]["maxTaskRetryCount"]
        manager["constraints"] = {**manager["constraints"], "maxTaskRetryCount": retries}


job_disable = Shape({"disableTasks": Member(choice("requeue", "terminate", "wait"), required=True)})
job_terminate = Shape({"terminateReason": text()})
