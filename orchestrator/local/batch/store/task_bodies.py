"""Bodies of tasks.

Source of facts: recorded (order, defaults, case of the echo); the REST page "Add a task to a job".
"""

from __future__ import annotations

from typing import Any, Final

from orchestrator.local.batch.errors import dependency_list_too_long, dependency_ranges_too_long
from orchestrator.local.batch.store.command_bodies import (
    CONTAINERS,
    NONADMIN_POOL_USER,
    PACKAGES,
    WEEK,
    command_line,
    environment_settings,
    resource_files,
    user_identity,
)
from orchestrator.local.batch.store.shape import (
    Member,
    Shape,
    choice,
    identifier,
    items,
    refused,
    span,
    text,
    unread,
    whole,
)
from orchestrator.local.wire.api_error import invalid_property
from orchestrator.local.wire.times import UNLIMITED_TEXT

_LONGEST_DEPENDENCY_LIST: Final = 64_000
_MOST_DEPENDENCIES_IN_RANGES: Final = 1_000_000

_exit_options = Shape(
    {
        "jobAction": choice("none", "disable", "terminate"),
        "dependencyAction": choice("satisfy", "block"),
    }
)
_exit_code = whole(-(2**31))

exit_conditions = Shape(
    {
        "exitCodes": items(
            Shape(
                {
                    "code": Member(_exit_code, required=True),
                    "exitOptions": Member(_exit_options, required=True),
                }
            )
        ),
        "exitCodeRanges": items(
            Shape(
                {
                    "start": Member(_exit_code, required=True),
                    "end": Member(_exit_code, required=True),
                    "exitOptions": Member(_exit_options, required=True),
                }
            )
        ),
        "preProcessingError": _exit_options,
        "fileUploadError": _exit_options,
        "default": _exit_options,
    }
)

_output_file = Shape(
    {
        "filePattern": Member(text(empty=False), required=True),
        "destination": Member(
            Shape(
                {
                    "container": Member(
                        Shape(
                            {
                                "containerUrl": Member(text(empty=False), required=True),
                                "path": text(),
                                "identityReference": refused("managed identities"),
                                "uploadHeaders": items(
                                    Shape({"name": Member(text(empty=False), required=True), "value": text()})
                                ),
                            }
                        ),
                        required=True,
                    )
                }
            ),
            required=True,
        ),
        "uploadOptions": Member(
            Shape(
                {
                    "uploadCondition": Member(
                        choice("TaskSuccess", "TaskFailure", "TaskCompletion"), default="TaskCompletion"
                    )
                }
            ),
            default={"uploadCondition": "TaskCompletion"},
        ),
    }
)

output_files: Final = items(_output_file)

_depends_on = Shape(
    {
        "taskIds": items(text(empty=False)),
        "taskIdRanges": items(
            Shape({"start": Member(whole(0), required=True), "end": Member(whole(0), required=True)})
        ),
    }
)


def _dependencies(value: Any, name: str) -> dict[str, Any]:
    wire = _depends_on(value, name)
    if sum(map(len, wire.get("taskIds", ()))) > _LONGEST_DEPENDENCY_LIST:
        raise dependency_list_too_long(_LONGEST_DEPENDENCY_LIST)
    length = 0
    for one in wire.get("taskIdRanges", ()):
        if one["start"] > one["end"]:
            raise invalid_property("taskIdRanges", f"{one['start']}-{one['end']}", "start is after end")
        length += one["end"] - one["start"] + 1
    if length > _MOST_DEPENDENCIES_IN_RANGES:
        raise dependency_ranges_too_long(_MOST_DEPENDENCIES_IN_RANGES)
    return wire


task_constraints = Shape(
    {
        "maxWallClockTime": Member(span(), default=UNLIMITED_TEXT),
        "retentionTime": Member(span(), default=WEEK),
        "maxTaskRetryCount": Member(whole(-1), default=0),
    }
)
DEFAULT_TASK_CONSTRAINTS: Final = task_constraints({}, "constraints")

task_body = Shape(
    {
        "id": Member(identifier, required=True),
        "displayName": text(1024),
        "commandLine": Member(command_line, required=True),
        "containerSettings": CONTAINERS,
        "resourceFiles": resource_files,
        "outputFiles": output_files,
        "environmentSettings": environment_settings,
        "affinityInfo": Shape({"affinityId": Member(text(), required=True)}),
        "applicationPackageReferences": PACKAGES,
        "userIdentity": Member(user_identity, default=NONADMIN_POOL_USER),
        "multiInstanceSettings": refused("multi-instance tasks"),
        "authenticationTokenSettings": refused("authentication tokens"),
        "dependsOn": _dependencies,
        "exitConditions": exit_conditions,
        "constraints": Member(task_constraints, default=DEFAULT_TASK_CONSTRAINTS),
        "requiredSlots": Member(whole(1, 256), default=1),
    }
)

task_replacement = Shape({"constraints": Member(task_constraints, default=None)})
"""PUT of a task: constraints only."""

task_collection = Shape({"value": Member(items(unread), required=True)})
