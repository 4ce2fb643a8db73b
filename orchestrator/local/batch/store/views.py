"""Records as the wire shows them.

Source of facts: recorded (the order of members, what is absent in which state, what is always there).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from orchestrator.local.batch.store.records import (
    CommandRun,
    JobRecord,
    NodeRecord,
    PoolRecord,
    TaskRecord,
)
from orchestrator.local.batch.store.states import JobState, TaskState
from orchestrator.local.wire.times import etag, timestamp

Wire = dict[str, Any]

AGENT_VERSION: Final = "1.12.9"
ADDRESSES_PER_OCTET: Final = 250
FIRST_ADDRESS: Final = 4
_FIRST_PORT: Final = 50_000
_JOB_AFTER_INFO: Final = ("onAllTasksComplete", "onTaskFailure")
_POOL_EARLY: Final = ("vmSize", "resizeTimeout")
_POOL_COUNTED: Final = (*_POOL_EARLY, "targetDedicatedNodes", "targetLowPriorityNodes", "displayName")

TASK_MEMBERS: Final = frozenset(
    {
        *("id", "displayName", "url", "eTag", "creationTime", "lastModified", "state", "stateTransitionTime"),
        *("previousState", "previousStateTransitionTime", "commandLine", "containerSettings"),
        *(
            "resourceFiles",
            "outputFiles",
            "environmentSettings",
            "affinityInfo",
            "applicationPackageReferences",
        ),
        *(
            "userIdentity",
            "multiInstanceSettings",
            "authenticationTokenSettings",
            "dependsOn",
            "exitConditions",
        ),
        *("constraints", "requiredSlots", "executionInfo", "nodeInfo", "stats"),
    }
)
JOB_MEMBERS: Final = frozenset(
    {
        *("id", "displayName", "url", "eTag", "lastModified", "creationTime", "state", "stateTransitionTime"),
        *("previousState", "previousStateTransitionTime", "priority", "maxParallelTasks"),
        *(
            "usesTaskDependencies",
            "allowTaskPreemption",
            "constraints",
            "jobManagerTask",
            "jobPreparationTask",
        ),
        *("jobReleaseTask", "commonEnvironmentSettings", "poolInfo", "networkConfiguration", "metadata"),
        *("executionInfo", "onAllTasksComplete", "onTaskFailure", "stats"),
    }
)
POOL_MEMBERS: Final = frozenset(
    {
        *("id", "displayName", "url", "eTag", "lastModified", "creationTime", "state", "stateTransitionTime"),
        *("allocationState", "allocationStateTransitionTime", "vmSize", "resizeTimeout"),
        *("currentDedicatedNodes", "targetDedicatedNodes", "currentLowPriorityNodes"),
        *("targetLowPriorityNodes", "resizeErrors", "enableAutoScale", "autoScaleFormula"),
        *("autoScaleEvaluationInterval", "autoScaleRun", "enableInterNodeCommunication", "startTask"),
        *("userAccounts", "certificateReferences", "applicationPackageReferences", "mountConfiguration"),
        *("metadata", "taskSlotsPerNode", "taskSchedulingPolicy", "virtualMachineConfiguration"),
        *("networkConfiguration", "applicationLicenses", "targetNodeCommunicationMode"),
        *("currentNodeCommunicationMode", "identity", "upgradePolicy", "stats"),
    }
)
NODE_MEMBERS: Final = frozenset(
    {
        *("id", "url", "state", "schedulingState", "stateTransitionTime", "lastBootTime", "allocationTime"),
        *("ipAddress", "affinityId", "vmSize", "totalTasksRun", "totalTasksSucceeded", "runningTasksCount"),
        *("runningTaskSlotsCount", "recentTasks", "startTask", "startTaskInfo", "certificateReferences"),
        *("errors", "isDedicated", "endpointConfiguration", "nodeAgentInfo", "virtualMachineInfo"),
    }
)
PREPARATION_STATUS_MEMBERS: Final = frozenset(
    {"poolId", "nodeId", "nodeUrl", "jobPreparationTaskExecutionInfo", "jobReleaseTaskExecutionInfo"}
)


def node_url(account_url: str, pool_id: str, node_id: str) -> str:
    """Tell where a node is."""
    return f"{account_url}/pools/{pool_id}/nodes/{node_id}"


def task_directory(job_id: str, task_id: str) -> str:
    """Tell a task's directory, relative to its node's root."""
    return f"{job_directory(job_id)}/{task_id}"


def job_directory(job_id: str) -> str:
    """Tell a job's directory: that of a schedule's job is below the schedule's."""
    schedule, _, name = job_id.rpartition(":")
    return f"workitems/{schedule}/{name}" if schedule else f"{job_folder(job_id)}/job-1"


def job_folder(job_id: str) -> str:
    """Tell what of a node is a job's own."""
    return job_directory(job_id) if ":" in job_id else f"workitems/{job_id}"


def task_execution(task: TaskRecord) -> Wire:
    """Show a task's executionInfo."""
    info: Wire = {}
    if task.started and task.state is not TaskState.ACTIVE:
        info["startTime"] = timestamp(task.started)
    if task.state is TaskState.COMPLETED:
        info["endTime"] = timestamp(task.ended)
        if task.exit_code is not None:
            info["exitCode"] = task.exit_code
        if task.failure is not None:
            info["failureInfo"] = task.failure
        info["result"] = "success" if task.failure is None else "failure"
    info["retryCount"] = task.retry_count
    if task.last_retry:
        info["lastRetryTime"] = timestamp(task.last_retry)
    info["requeueCount"] = task.requeue_count
    if task.last_requeue:
        info["lastRequeueTime"] = timestamp(task.last_requeue)
    return info


def task_wire(task: TaskRecord, account_url: str) -> Wire:
    """Show a task."""
    spec = task.spec
    wire: Wire = {"id": task.id}
    if "displayName" in spec:
        wire["displayName"] = spec["displayName"]
    wire["url"] = f"{account_url}/jobs/{task.job_id}/tasks/{task.id}"
    wire["eTag"] = etag(task.modified)
    wire["creationTime"] = timestamp(task.created)
    wire["lastModified"] = timestamp(task.modified)
    _put_states(wire, task)
    for name, value in spec.items():
        if name != "displayName":
            wire[name] = value
    wire["executionInfo"] = task_execution(task)
    if task.node_id is not None and task.pool_id is not None:
        url = node_url(account_url, task.pool_id, task.node_id)
        directory = task_directory(task.job_id, task.id)
        wire["nodeInfo"] = {
            "affinityId": f"TVM:{task.node_id}",
            "nodeUrl": url,
            "poolId": task.pool_id,
            "nodeId": task.node_id,
            "taskRootDirectory": directory,
            "taskRootDirectoryUrl": f"{url}/files/{directory}",
        }
    elif task.state is TaskState.COMPLETED:
        wire["nodeInfo"] = {}
    return wire


def job_wire(job: JobRecord, account_url: str) -> Wire:
    """Show a job."""
    wire: Wire = {"id": job.id}
    if "displayName" in job.spec:
        wire["displayName"] = job.spec["displayName"]
    wire["url"] = f"{account_url}/jobs/{job.id}"
    wire["eTag"] = etag(job.modified)
    wire["lastModified"] = timestamp(job.modified)
    wire["creationTime"] = timestamp(job.created)
    _put_states(wire, job)
    for name, value in job.spec.items():
        if name not in _JOB_AFTER_INFO and name != "displayName":
            wire[name] = value
    info: Wire = {"startTime": timestamp(job.started)}
    if job.state is JobState.COMPLETED or job.ended:
        info["endTime"] = timestamp(job.ended)
    info["poolId"] = job.pool_id
    if job.terminate_reason is not None:
        info["terminateReason"] = job.terminate_reason
    wire["executionInfo"] = info
    for name in _JOB_AFTER_INFO:
        wire[name] = job.spec[name]
    return wire


def _put_states(wire: Wire, record: JobRecord | TaskRecord) -> None:
    wire["state"] = record.state.value
    wire["stateTransitionTime"] = timestamp(record.state_since)
    if record.previous_state is not None:
        wire["previousState"] = record.previous_state.value
        wire["previousStateTransitionTime"] = timestamp(record.previous_since)


def pool_wire(pool: PoolRecord, account_url: str) -> Wire:
    """Show a pool.

    Args:
        pool: the record.
        account_url: without a slash at the end.
    """
    spec = pool.spec
    wire: Wire = {"id": pool.id}
    if "displayName" in spec:
        wire["displayName"] = spec["displayName"]
    wire["url"] = f"{account_url}/pools/{pool.id}"
    wire["eTag"] = etag(pool.modified)
    wire["lastModified"] = timestamp(pool.modified)
    wire["creationTime"] = timestamp(pool.created)
    wire["state"] = pool.state.value
    wire["stateTransitionTime"] = timestamp(pool.state_since)
    wire["allocationState"] = pool.allocation.value
    wire["allocationStateTransitionTime"] = timestamp(pool.allocation_since)
    for name in _POOL_EARLY:
        wire[name] = spec[name]
    wire["currentDedicatedNodes"] = pool.count(dedicated=True)
    wire["targetDedicatedNodes"] = spec["targetDedicatedNodes"]
    wire["currentLowPriorityNodes"] = pool.count(dedicated=False)
    wire["targetLowPriorityNodes"] = spec["targetLowPriorityNodes"]
    if pool.resize_errors:
        wire["resizeErrors"] = pool.resize_errors
    for name, value in spec.items():
        if name not in _POOL_COUNTED:
            wire[name] = value
        if name == "autoScaleEvaluationInterval" and pool.auto_scale_run is not None:
            wire["autoScaleRun"] = pool.auto_scale_run
    if len(pool.nodes):
        wire["currentNodeCommunicationMode"] = _communication(spec)
    return wire


def _communication(spec: Mapping[str, Any]) -> str:
    # What pools that ask for nothing get: classic was recorded in 2024, simplified in 2025.
    target: str = spec.get("targetNodeCommunicationMode", "default")
    return "simplified" if target == "default" else target


def node_wire(node: NodeRecord, pool: PoolRecord, account_url: str, running: Mapping[str, int]) -> Wire:
    """Show a node.

    Args:
        node: the record.
        pool: that it is in.
        account_url: without a slash at the end.
        running: number of `tasks` and `slots` that it runs now.
    """
    wire: Wire = {
        "id": node.id,
        "url": node_url(account_url, pool.id, node.id),
        "state": node.state.value,
        "schedulingState": "enabled" if node.scheduling else "disabled",
        "stateTransitionTime": timestamp(node.state_since),
    }
    if node.booted:
        wire["lastBootTime"] = timestamp(node.booted)
    wire |= {
        "allocationTime": timestamp(node.allocated),
        "ipAddress": node.address,
        "affinityId": f"TVM:{node.id}",
        "vmSize": pool.spec["vmSize"],
        "totalTasksRun": node.total_tasks,
        "totalTasksSucceeded": node.succeeded_tasks,
        "runningTasksCount": running["tasks"],
        "runningTaskSlotsCount": running["slots"],
    }
    if node.recent:
        wire["recentTasks"] = [
            {
                "taskUrl": f"{account_url}/jobs/{task.job_id}/tasks/{task.id}",
                "jobId": task.job_id,
                "taskId": task.id,
                "taskState": task.state.value,
                "executionInfo": task_execution(task),
            }
            for task in node.recent
        ]
    if node.start_task is not None:
        wire["startTask"] = node.start_task
    if node.start_run is not None:
        wire["startTaskInfo"] = run_wire(node.start_run)
    if node.booted:
        wire["certificateReferences"] = []
    wire["isDedicated"] = node.dedicated
    wire["endpointConfiguration"] = _endpoints(node)
    if node.booted:
        wire["nodeAgentInfo"] = {"lastUpdateTime": timestamp(node.booted), "version": AGENT_VERSION}
    image = pool.spec["virtualMachineConfiguration"]["imageReference"]
    wire["virtualMachineInfo"] = {"imageReference": {**image, "exactVersion": image["version"]}}
    return wire


def _endpoints(node: NodeRecord) -> Wire:
    # As recorded, from 50000 on. A node here is a folder: nothing listens there.
    third, fourth = (int(part) for part in node.address.split(".")[2:])
    number = third * ADDRESSES_PER_OCTET + fourth - FIRST_ADDRESS
    endpoint = {
        "name": f"SSHRule.{number}",
        "protocol": "tcp",
        "publicIPAddress": "127.0.0.1",
        "publicFQDN": "localhost",
        "frontendPort": _FIRST_PORT + number,
        "backendPort": 22,
    }
    return {"inboundEndpoints": [endpoint]}


def run_wire(run: CommandRun, directory: str | None = None, directory_url: str | None = None) -> Wire:
    """Show a run of a start, preparation or release task.

    Args:
        run: the record.
        directory: relative to the node's root, for preparation and release tasks.
        directory_url: where it is served.
    """
    wire: Wire = {"startTime": timestamp(run.started)}
    if run.ended:
        wire["endTime"] = timestamp(run.ended)
    wire["state"] = "completed" if run.ended else "running"
    if directory is not None:
        wire["taskRootDirectory"] = directory
        wire["taskRootDirectoryUrl"] = directory_url
    if run.ended:
        if run.exit_code is not None:
            wire["exitCode"] = run.exit_code
        if run.failure is not None:
            wire["failureInfo"] = run.failure
    wire["retryCount"] = run.retry_count
    if run.last_retry:
        wire["lastRetryTime"] = timestamp(run.last_retry)
    if run.ended:
        wire["result"] = "success" if run.failure is None else "failure"
    return wire


def preparation_status_wire(job: JobRecord, pool_id: str, node_id: str, account_url: str) -> Wire:
    """Show how a job's preparation and release tasks went on a node."""
    url = node_url(account_url, pool_id, node_id)
    wire: Wire = {"poolId": pool_id, "nodeId": node_id, "nodeUrl": url}
    shown = (
        ("jobPreparationTaskExecutionInfo", "jobPreparationTask", job.preparations),
        ("jobReleaseTaskExecutionInfo", "jobReleaseTask", job.releases),
    )
    for member, task, runs in shown:
        run = runs.get((pool_id, node_id))
        if run is not None:
            directory = task_directory(job.id, job.spec[task]["id"])
            wire[member] = run_wire(run, directory, f"{url}/files/{directory}")
    return wire
