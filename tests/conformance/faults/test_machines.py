"""Each fault that a machine may meet."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from orchestrator.local.faults import FaultLab
from tests.conformance.clients import RawClient, job_body, pool_body, sh, until


def fault(kind: str, **members: Any) -> dict[str, Any]:
    return {"fault": {"kind": kind, **members}, "name": kind, "count": 1}


async def steady(raw: RawClient) -> dict[str, Any]:
    return await until(lambda: raw.get("/pools/p"), lambda pool: pool["allocationState"] == "steady")


@pytest.mark.parametrize(
    "code", ["AllocationFailed", "AccountCoreQuotaReached", "AllocationTimedout", "SomethingNew"]
)
async def test_a_resize_ends_with_an_error_and_with_less(raw: RawClient, lab: FaultLab, code: str) -> None:
    lab.add(fault("fail_allocation", code=code, nodes=1))
    await raw.post("/pools", pool_body(targetDedicatedNodes=2, targetLowPriorityNodes=1))
    pool = await steady(raw)
    assert [error["code"] for error in pool["resizeErrors"]] == [code]
    assert (pool["currentDedicatedNodes"], pool["currentLowPriorityNodes"]) == (1, 0)
    await raw.post("/pools/p/resize", {"targetDedicatedNodes": 2, "targetLowPriorityNodes": 0})
    again = await steady(raw)
    assert again["currentDedicatedNodes"] == 2
    assert "resizeErrors" not in again


async def test_a_start_task_fails_on_one_node(raw: RawClient, lab: FaultLab) -> None:
    lab.add({**fault("fail_start_task", exit_code=7), "match": {"node_number": 1}})
    start = {"commandLine": "true", "waitForSuccess": True}
    await raw.post("/pools", pool_body(targetDedicatedNodes=2, startTask=start))
    await raw.nodes_in("starttaskfailed", 1)
    nodes = {node["state"]: node for node in await raw.nodes_in("idle", 1)}
    assert nodes["starttaskfailed"]["startTaskInfo"]["exitCode"] == 7
    assert nodes["starttaskfailed"]["ipAddress"] == "10.0.0.5"
    assert lab.fired("fail_start_task") == 1


async def test_a_retry_gets_past_a_start_task_that_fails_once(raw: RawClient, lab: FaultLab) -> None:
    lab.add(fault("fail_start_task"))
    start = {"commandLine": "true", "waitForSuccess": True, "maxTaskRetryCount": 1}
    await raw.post("/pools", pool_body(targetDedicatedNodes=1, startTask=start))
    (node,) = await raw.nodes_in("idle", 1)
    assert node["startTaskInfo"]["retryCount"] == 1


async def test_a_node_boots_unusable_and_a_reboot_helps(raw: RawClient, lab: FaultLab) -> None:
    lab.add({**fault("unusable_node"), "on": ["boot_node"]})
    await raw.post("/pools", pool_body(targetDedicatedNodes=1))
    (node,) = await raw.nodes_in("unusable", 1)
    await raw.post(f"/pools/p/nodes/{node['id']}/reboot", {})
    await raw.nodes_in("idle", 1)


async def two_attempts(raw: RawClient, pool: dict[str, Any]) -> None:
    """A task that ends at once, unless it runs for the first time."""
    await raw.post("/pools", pool)
    await raw.post("/jobs", job_body())
    script = 'mkdir "$AZ_BATCH_NODE_SHARED_DIR/been" && exec sleep 600'
    await raw.post("/jobs/j/tasks", {"id": "t", "commandLine": sh(f"{script} || echo again")})


def untouched(task: dict[str, Any]) -> bool:
    info = task["executionInfo"]
    return (info["result"], info["retryCount"], info["requeueCount"]) == ("success", 0, 0)


async def test_a_lost_nodes_task_runs_again_without_a_trace(raw: RawClient, lab: FaultLab) -> None:
    lab.add(fault("lose_node", seconds=0.3))
    await two_attempts(raw, pool_body(targetDedicatedNodes=1))
    task = await raw.task_in("completed")
    assert untouched(task)
    assert lab.fired("lose_node") == 1
    await raw.nodes_in("idle", 1)


async def test_an_unusable_nodes_task_moves_to_another_node(raw: RawClient, lab: FaultLab) -> None:
    lab.add(fault("unusable_node", seconds=0.1) | {"on": ["run_task"]})
    await raw.post("/pools", pool_body(targetDedicatedNodes=2))
    await raw.nodes_in("idle", 2)
    await raw.post("/jobs", job_body())
    await raw.post("/jobs/j/tasks", {"id": "t", "commandLine": "sleep 0.5"})
    task = await raw.task_in("completed")
    assert untouched(task)
    (unusable,) = [node for node in await raw.nodes() if node["state"] == "unusable"]
    assert task["nodeInfo"]["nodeId"] != unusable["id"]
    await raw.post("/pools/p/removenodes", {"nodeList": [unusable["id"]]})
    await until(raw.nodes, lambda nodes: len(nodes) == 1)


async def test_a_preempted_node_comes_back_with_its_id_and_without_its_files(
    raw: RawClient, lab: FaultLab
) -> None:
    lab.add(fault("preempt_node", seconds=0.3, away=0.3))
    await raw.post("/pools", pool_body(targetLowPriorityNodes=1))
    (before,) = await raw.nodes_in("idle", 1)
    await raw.post("/jobs", job_body())
    # It would find its own mark if files stayed.
    await raw.post(
        "/jobs/j/tasks",
        {"id": "t", "commandLine": sh('mkdir "$AZ_BATCH_NODE_SHARED_DIR/been" && sleep 0.6')},
    )
    await raw.nodes_in("preempted", 1)
    assert (await raw.get("/pools/p"))["currentLowPriorityNodes"] == 1
    assert untouched(await raw.task_in("completed"))
    (after,) = await raw.nodes_in("idle", 1)
    assert (after["id"], after["allocationTime"]) == (before["id"], before["allocationTime"])


async def test_a_preempted_node_is_prepared_anew(raw: RawClient, lab: FaultLab) -> None:
    lab.add({**fault("preempt_node", seconds=0.3), "match": {"task": "t"}})
    await raw.post("/pools", pool_body(targetLowPriorityNodes=1))
    prepare = {"commandLine": sh('echo ready > "$AZ_BATCH_NODE_SHARED_DIR/prepared"')}
    await raw.post("/jobs", job_body(jobPreparationTask=prepare))
    use = sh('sleep 0.6 && cat "$AZ_BATCH_NODE_SHARED_DIR/prepared"')
    await raw.post("/jobs/j/tasks", {"id": "t", "commandLine": use})
    assert untouched(await raw.task_in("completed"))
    assert await raw.stdout() == "ready\n"
    assert lab.fired("preempt_node") == 1


async def test_a_preempted_node_can_be_removed(raw: RawClient, lab: FaultLab) -> None:
    lab.add(fault("preempt_node", away=600))
    await raw.post("/pools", pool_body(targetLowPriorityNodes=1))
    await raw.post("/jobs", job_body())
    await raw.post("/jobs/j/tasks", {"id": "t", "commandLine": "sleep 600"})
    await raw.nodes_in("preempted", 1)
    await raw.send("DELETE", "/pools/p")
    await raw.gone("/pools/p")


async def test_a_dedicated_node_is_not_preempted(raw: RawClient, job: str, lab: FaultLab) -> None:
    lab.add(fault("preempt_node"))
    await raw.post(f"{job}/tasks", {"id": "t", "commandLine": "true"})
    await raw.task_in("completed")
    assert lab.progress("preempt_node").seen == 0


CONTAINER = {"containerUrl": "http://127.0.0.1:1/local/c?sig=x", "path": "out"}


async def test_what_a_task_uploads_fails_and_its_exit_code_stays(
    raw: RawClient, job: str, lab: FaultLab
) -> None:
    lab.add({**fault("fail_transfer"), "on": ["blob_upload"]})
    output = {
        "filePattern": "../stdout.txt",
        "destination": {"container": CONTAINER},
        "uploadOptions": {"uploadCondition": "taskcompletion"},
    }
    await raw.post(f"{job}/tasks", {"id": "t", "commandLine": "true", "outputFiles": [output]})
    info = (await raw.task_in("completed"))["executionInfo"]
    assert (info["exitCode"], info["result"]) == (0, "failure")
    assert (info["failureInfo"]["category"], info["failureInfo"]["code"]) == (
        "ServerError",
        "FileUploadMiscError",
    )


@pytest.mark.parametrize(
    ("rule", "code"),
    [
        (fault("fail_transfer"), "BlobDownloadMiscError"),
        (fault("fail_transfer", trouble="not_found"), "BlobNotFound"),
        (fault("fail_transfer", trouble="timed_out"), "BlobDownloadTimedOut"),
        (fault("expired_sas"), "BlobAccessDenied"),
    ],
)
async def test_what_a_task_needs_does_not_come(
    raw: RawClient, job: str, lab: FaultLab, rule: dict[str, Any], code: str
) -> None:
    lab.add({**rule, "on": ["blob_download"]})
    resource = {"httpUrl": "http://127.0.0.1:1/local/c/in?sig=x", "filePath": "in"}
    await raw.post(f"{job}/tasks", {"id": "t", "commandLine": "true", "resourceFiles": [resource]})
    info = (await raw.task_in("completed"))["executionInfo"]
    assert "exitCode" not in info
    assert info["failureInfo"]["code"] == code
    assert "sig" not in str(info["failureInfo"])


async def test_what_is_being_deleted_stays_longer(raw: RawClient, lab: FaultLab) -> None:
    lab.add(fault("linger", seconds=600))
    await raw.post("/jobs", job_body())
    await raw.send("DELETE", "/jobs/j")
    await lab.wait_fired("linger")
    assert (await raw.get("/jobs/j"))["state"] == "deleting"
    assert (await raw.send("POST", "/jobs", job_body())).json()["code"] == "JobBeingDeleted"
    lab.clear()
    lab.add({**fault("linger", seconds=0.1), "on": ["pool_deletion"]})
    await raw.post("/pools", pool_body())
    await raw.send("DELETE", "/pools/p")
    await lab.wait_fired("linger")
    with anyio.fail_after(10):
        await raw.gone("/pools/p")


async def test_a_node_that_dies_while_it_prepares_a_job_is_prepared_anew(
    raw: RawClient, lab: FaultLab
) -> None:
    lab.add({**fault("lose_node", seconds=0.1), "match": {"task": "jobpreparation"}})
    script = sh("mkdir $AZ_BATCH_NODE_SHARED_DIR/been && exec sleep 600; true")
    await raw.post("/pools", pool_body(targetDedicatedNodes=1))
    await raw.post("/jobs", job_body(jobPreparationTask={"commandLine": script}))
    await raw.post("/jobs/j/tasks", {"id": "t", "commandLine": "true"})
    assert untouched(await raw.task_in("completed"))
    assert lab.fired("lose_node") == 1
