"""The api-versions that are served, and in what they differ: one table.

Sources of facts: recorded answers of 2018-03-01.6.1, 2020-03-01.11.0, 2022-01-01.15.0, 2023-05-01.17.0,
2024-02-01.19.0, 2024-07-01.20.0 and 2025-06-01; for names that no recording shows, the models of the
published clients (azure-batch 9.0.0 of JavaScript speaks 2020-03-01.11.0) and their changelogs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Final

from orchestrator.local.wire.dialect import Absent, Change, Dialect, Filled, Renamed, Spelled
from orchestrator.local.wire.times import UNLIMITED_TEXT

VERSIONS: Final = (
    "2018-03-01.6.1",
    "2018-12-01.8.0",
    "2019-06-01.9.0",
    "2019-08-01.10.0",
    "2020-03-01.11.0",
    "2020-09-01.12.0",
    "2021-06-01.14.0",
    "2022-01-01.15.0",
    "2022-10-01.16.0",
    "2023-05-01.17.0",
    "2023-11-01.18.0",
    "2024-02-01.19.0",
    "2024-07-01.20.0",
    "2025-06-01",
)
"""Those that recordings show or that published clients send, as strings in order of time."""


class Casing(StrEnum):
    """How the words are written for which the recordings and the newest SDK's enums differ in case."""

    LIVE = "live"
    """As recorded: `UserError`, `Success`, `TaskCompletion`, `Spread`."""
    SDK = "sdk"
    """As the SDK compares them: lower case."""


_POOLS: Final[Mapping[str, str]] = {
    "pools": "",
    "jobs": "poolInfo/autoPoolSpecification/pool/",
    "jobschedules": "jobSpecification/poolInfo/autoPoolSpecification/pool/",
}
"""Where pools stand in each resource."""

_TASKS: Final[Mapping[str, str]] = {"tasks": "", "taskcollections": "value/*/"}
_MANAGERS: Final[Mapping[str, str]] = {
    "jobs": "jobManagerTask/",
    "jobschedules": "jobSpecification/jobManagerTask/",
}
_PREPARATIONS: Final[Mapping[str, str]] = {
    "jobs": "jobPreparationTask/",
    "jobschedules": "jobSpecification/jobPreparationTask/",
}
_RELEASES: Final[Mapping[str, str]] = {
    "jobs": "jobReleaseTask/",
    "jobschedules": "jobSpecification/jobReleaseTask/",
}
_START_TASKS: Final = {
    **{resource: f"{place}startTask/" for resource, place in _POOLS.items()},
    "nodes": "startTask/",
}
_JOBS: Final[Mapping[str, str]] = {"jobs": "", "jobschedules": "jobSpecification/"}
_NODES: Final[Mapping[str, str]] = {"nodes": ""}
_NODE_COUNTS: Final[Mapping[str, str]] = {"poolnodecounts": ""}
_EXECUTIONS: Final = (
    {"tasks": "executionInfo/", "nodes": "recentTasks/*/executionInfo/"},
    {"nodes": "startTaskInfo/", "jobpreparationandreleasetaskstatuslist": "jobPreparationTaskExecutionInfo/"},
    {"jobpreparationandreleasetaskstatuslist": "jobReleaseTaskExecutionInfo/"},
)
_WITH_FILES: Final = (_TASKS, _MANAGERS, _PREPARATIONS, _RELEASES, _START_TASKS)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Difference:
    """One row.

    Args:
        change: its path counts from each place.
        places: prefix of the path, by resource.
        before: the version since which it is otherwise; None if it still is so.
        since: the first version of which it is true; None for all before.
    """

    change: Renamed | Absent | Spelled | Filled
    places: Mapping[str, str]
    before: str | None = None
    since: str | None = None

    def holds(self, version: str) -> bool:
        """Tell whether a version has it."""
        return (self.before is None or version < self.before) and (
            self.since is None or version >= self.since
        )


_BY_VERSION: Final = (
    # Answers of 2018 say `Failure`; those of 2022 and later `failure`, whatever the version of the agent.
    *(
        _Difference(change=Spelled("result", str.capitalize), places=places, before="2018-12")
        for places in _EXECUTIONS
    ),
    *(
        _Difference(change=Renamed("resourceFiles/*/httpUrl", "blobSource"), places=places, before="2018-12")
        for places in _WITH_FILES
    ),
    _Difference(change=Filled("constraints", {}), places=_TASKS, before="2018-12"),
    _Difference(change=Filled("constraints/retentionTime", UNLIMITED_TEXT), places=_TASKS, before="2018-12"),
    # It is filled in as `pool` since; a task that asked for `pool` then can't be told from one that did not.
    _Difference(
        change=Absent("userIdentity/autoUser/scope", value="pool", refused=False),
        places=_TASKS,
        before="2019-08",
    ),
    _Difference(change=Filled("startTask/waitForSuccess", False), places=_POOLS, before="2019-08"),
    _Difference(change=Absent("nodeAgentInfo"), places=_NODES, before="2018-08"),
    _Difference(change=Renamed("taskSlotsPerNode", "maxTasksPerNode"), places=_POOLS, before="2020-09"),
    _Difference(change=Absent("requiredSlots"), places=_TASKS, before="2020-09"),
    _Difference(change=Absent("requiredSlots"), places=_MANAGERS, before="2020-09"),
    _Difference(change=Absent("runningTaskSlotsCount"), places=_NODES, before="2020-09"),
    _Difference(change=Absent("virtualMachineInfo"), places=_NODES, before="2021-06"),
    _Difference(change=Absent("maxParallelTasks"), places=_JOBS, before="2021-06"),
    _Difference(change=Absent("allowTaskPreemption"), places=_JOBS, before="2022-01"),
    *(
        _Difference(
            change=Absent("outputFiles/*/destination/container/uploadHeaders"),
            places=places,
            before="2022-01",
        )
        for places in (_TASKS, _MANAGERS)
    ),
    _Difference(change=Absent("targetNodeCommunicationMode"), places=_POOLS, before="2022-10"),
    _Difference(change=Absent("targetNodeCommunicationMode"), places=_POOLS, since="2025-06"),
    _Difference(change=Absent("currentNodeCommunicationMode"), places=_POOLS, before="2022-10"),
    _Difference(change=Absent("currentNodeCommunicationMode"), places=_POOLS, since="2025-06"),
    _Difference(change=Absent("endpointConfiguration"), places=_NODES, since="2024-07"),
    *(
        _Difference(change=Absent(f"{kind}/{state}"), places=_NODE_COUNTS, before="2024-07")
        for kind in ("dedicated", "lowPriority")
        for state in ("deallocated", "deallocating", "upgradingOS")
    ),
    _Difference(change=Absent("certificateReferences"), places=_POOLS, since="2025-06"),
    _Difference(change=Absent("certificateReferences"), places=_NODES, since="2025-06"),
    _Difference(change=Absent("taskSchedulingPolicy/jobDefaultOrder"), places=_POOLS, before="2025-06"),
)

_IN_LOWER_CASE: Final = (
    *(
        _Difference(change=Spelled("failureInfo/category", str.lower), places=places)
        for places in _EXECUTIONS
    ),
    _Difference(change=Spelled("executionInfo/schedulingError/category", str.lower), places={"jobs": ""}),
    _Difference(change=Spelled("outputFiles/*/uploadOptions/uploadCondition", str.lower), places=_TASKS),
    _Difference(change=Spelled("outputFiles/*/uploadOptions/uploadCondition", str.lower), places=_MANAGERS),
    _Difference(change=Spelled("taskSchedulingPolicy/nodeFillType", str.lower), places=_POOLS),
    _Difference(change=Spelled("status", str.lower), places={"taskaddresult": ""}),
)

_BODIES: Final[Mapping[str, str]] = {
    "create_pool": "pools",
    "update_pool": "pools",
    "replace_pool_properties": "pools",
    "create_job": "jobs",
    "update_job": "jobs",
    "replace_job": "jobs",
    "create_job_schedule": "jobschedules",
    "update_job_schedule": "jobschedules",
    "replace_job_schedule": "jobschedules",
    "create_task": "tasks",
    "create_task_collection": "taskcollections",
    "replace_task": "tasks",
}

_FLAT_COUNTS_BEFORE: Final = "2020-09"
_VALIDATED_BEFORE: Final = "2018-12"
_REIMAGE_SINCE: Final = "2024-07"


def dialects(casing: Casing) -> Mapping[str, Dialect]:
    """Make the dialect of each version.

    Args:
        casing: of the words that differ between the recordings and the SDK.

    Returns:
        Dialects by api-version.
    """
    more = _IN_LOWER_CASE if casing == Casing.SDK else ()
    return {version: _dialect(version, (*_BY_VERSION, *more)) for version in VERSIONS}


def _dialect(version: str, differences: tuple[_Difference, ...]) -> Dialect:
    changes: dict[str, list[Change]] = {}
    for difference in differences:
        if difference.holds(version):
            for resource, place in difference.places.items():
                change = replace(difference.change, path=place + difference.change.path)
                changes.setdefault(resource, []).append(change)
    return Dialect(version, changes, _BODIES)


def task_counts(version: str, tasks: Mapping[str, int], slots: Mapping[str, int]) -> tuple[str, Any]:
    """Show task counts, which once were flat (recorded in 2018).

    Args:
        version: of the request.
        tasks: by state.
        slots: by state.

    Returns:
        What follows `$metadata#`, and the members.
    """
    if version >= _FLAT_COUNTS_BEFORE:
        return "taskcountsresult/@Element", {"taskCounts": tasks, "taskSlotCounts": slots}
    validated = {"validationStatus": "Validated"} if version < _VALIDATED_BEFORE else {}
    return "taskcounts/@Element", {**tasks, **validated}


def reimages_machines(version: str) -> bool:
    """Tell whether reimaging is for pools of virtual machines too.

    Recorded in 2023: refused, for it was for cloud services only. Those are gone, the operation stayed.

    Args:
        version: of the request.
    """
    return version >= _REIMAGE_SINCE
