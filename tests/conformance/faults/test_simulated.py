"""Simulated nodes: tasks without processes."""

from __future__ import annotations

import os
from typing import Any

import pytest

from orchestrator.local.faults import FaultLab
from tests.conformance.clients import RawClient, job_body, pool_body, until
from tests.conformance.waiting import descendants

FLAG = {"name": "orchestrator:simulated", "value": "true"}


def simulated(**changes: Any) -> dict[str, Any]:
    return pool_body(**{"targetDedicatedNodes": 1, "taskSlotsPerNode": 4, "metadata": [FLAG], **changes})


@pytest.fixture
async def job(raw: RawClient) -> str:
    await raw.post("/pools", simulated())
    await raw.post("/jobs", job_body())
    return "/jobs/j"


async def run(raw: RawClient, job: str, command: str, **members: Any) -> dict[str, Any]:
    await raw.post(f"{job}/tasks", {"id": "t", "commandLine": command, **members})
    info: dict[str, Any] = (await raw.task_in("completed"))["executionInfo"]
    return info


async def test_a_task_ends_as_it_is_told_and_no_process_runs(raw: RawClient, job: str) -> None:
    others = descendants(os.getpid())  # other tests have services of their own
    info = await run(raw, job, "simulate --seconds 0.05 --exit-code 3")
    assert (info["exitCode"], info["failureInfo"]["code"]) == (3, "FailureExitCode")
    assert descendants(os.getpid()) <= others


async def test_retries_time_limits_and_settings_are_those_of_any_task(raw: RawClient, job: str) -> None:
    info = await run(raw, job, "simulate --exit-code 1", constraints={"maxTaskRetryCount": 2})
    assert (info["retryCount"], info["exitCode"]) == (2, 1)
    limit = {"maxWallClockTime": "PT0.1S"}
    await raw.post(
        f"{job}/tasks", {"id": "late", "commandLine": "simulate --seconds 60", "constraints": limit}
    )
    late = (await raw.task_in("completed", "late"))["executionInfo"]
    assert late["failureInfo"]["code"] == "TaskEnded"
    setting = {"name": "ORCHESTRATOR_SIMULATE", "value": "--exit-code 4"}
    task = {"id": "set", "commandLine": "/bin/whatever", "environmentSettings": [setting]}
    await raw.post(f"{job}/tasks", task)
    assert (await raw.task_in("completed", "set"))["executionInfo"]["exitCode"] == 4


async def test_another_command_is_not_run(raw: RawClient, job: str) -> None:
    info = await run(raw, job, "/bin/true")
    assert "exitCode" not in info
    assert info["failureInfo"]["code"] == "CommandLaunchFailed"


async def test_a_task_is_terminated_while_it_runs(raw: RawClient, job: str) -> None:
    await raw.post(f"{job}/tasks", {"id": "t", "commandLine": "simulate --seconds 600"})
    await raw.task_in("running")
    await raw.post(f"{job}/tasks/t/terminate")
    info = (await raw.task_in("completed"))["executionInfo"]
    assert info["failureInfo"]["code"] == "TaskEnded"


async def test_nodes_are_lost_as_any_others(raw: RawClient, job: str, lab: FaultLab) -> None:
    lab.add({"fault": {"kind": "lose_node"}, "name": "lost", "count": 1})
    info = await run(raw, job, "simulate --seconds 0.1")
    assert (info["result"], info["retryCount"], info["requeueCount"]) == ("success", 0, 0)
    assert lab.progress("lost").seen == 2


async def test_start_tasks_are_simulated_too_and_can_fail(raw: RawClient, lab: FaultLab) -> None:
    lab.add({"fault": {"kind": "fail_start_task", "exit_code": 9}, "name": "start", "count": 1})
    start = {"commandLine": "simulate", "waitForSuccess": True}
    await raw.post("/pools", simulated(targetDedicatedNodes=2, startTask=start))
    await raw.nodes_in("idle", 1)
    nodes = await raw.nodes_in("starttaskfailed", 1)
    assert {node.get("startTaskInfo", {}).get("exitCode") for node in nodes} == {0, 9}


async def test_files_of_its_tasks_are_not_there(raw: RawClient, job: str) -> None:
    await run(raw, job, "simulate")
    answer = await raw.send("GET", f"{job}/tasks/t/files/stdout.txt")
    assert answer.status == 404


async def test_thousands_of_tasks_share_one_timer(raw: RawClient) -> None:
    await raw.post("/pools", simulated(targetDedicatedNodes=8, taskSlotsPerNode=8))
    await raw.post("/jobs", job_body())
    for page in range(20):
        tasks = [
            {"id": f"{page}-{number}", "commandLine": f"simulate --seconds 0.0{number % 5}"}
            for number in range(100)
        ]
        await raw.post("/jobs/j/addtaskcollection", {"value": tasks})
    counts = await until(
        lambda: raw.get("/jobs/j/taskcounts"), lambda told: told["taskCounts"]["completed"] == 2000
    )
    assert counts["taskCounts"]["succeeded"] == 2000
    await raw.send("DELETE", "/pools/p")
    await raw.gone("/pools/p")
