from __future__ import annotations

import os
import signal
from pathlib import Path

from azure.batch import models
from azure.batch.aio import BatchClient

from tests.conformance.clients import PAUSE, RawClient, job_body, options, pool_body, sh, until


async def test_a_node_looks_like_a_recorded_one(raw: RawClient) -> None:
    await raw.post("/pools", pool_body(targetDedicatedNodes=1))
    node = (await raw.nodes_in("idle", 1))[0]
    assert list(node) == [
        *("id", "url", "state", "schedulingState", "stateTransitionTime", "lastBootTime", "allocationTime"),
        *("ipAddress", "affinityId", "vmSize", "totalTasksRun", "totalTasksSucceeded"),
        *("runningTasksCount", "runningTaskSlotsCount", "isDedicated", "nodeAgentInfo", "virtualMachineInfo"),
    ]
    assert node["affinityId"] == f"TVM:{node['id']}"
    assert len(node["id"]) == len("tvmps_") + 64 + len("_d")
    assert (node["ipAddress"], node["isDedicated"]) == ("10.0.0.4", True)


async def test_a_reboot_keeps_files_and_runs_the_start_task_again(
    client: BatchClient, raw: RawClient
) -> None:
    script = "echo x >> $AZ_BATCH_NODE_SHARED_DIR/boots"
    await raw.post("/pools", pool_body(targetDedicatedNodes=1, startTask={"commandLine": sh(script)}))
    node = (await raw.nodes_in("idle", 1))[0]
    poller = await client.begin_reboot_node(
        "p", node["id"], options=options(nodeRebootOption="requeue"), polling_interval=PAUSE
    )
    await poller.result()
    await raw.nodes_in("idle", 1)
    boots = await raw.send("GET", f"/pools/p/nodes/{node['id']}/files/shared/boots")
    assert boots.body == b"x\nx\n"


async def test_a_reboot_sends_running_tasks_back_to_the_queue(raw: RawClient) -> None:
    await raw.post("/pools", pool_body(targetDedicatedNodes=1))
    await raw.post("/jobs", job_body())
    script = (
        "test -e $AZ_BATCH_NODE_SHARED_DIR/m && exit 0; touch $AZ_BATCH_NODE_SHARED_DIR/m; exec sleep 600"
    )
    await raw.post("/jobs/j/tasks", {"id": "t", "commandLine": sh(script)})
    task = await raw.task_in("running")
    path = f"/pools/p/nodes/{task['nodeInfo']['nodeId']}"
    await until(lambda: raw.send("GET", f"{path}/files/shared/m"), lambda answer: answer.status == 200)
    assert (await raw.send("POST", f"{path}/reboot")).status == 202
    assert (await raw.get(path))["state"] == "rebooting"
    done = await raw.task_in("completed")
    assert (done["executionInfo"]["exitCode"], done["executionInfo"]["requeueCount"]) == (0, 1)
    assert done["executionInfo"]["retryCount"] == 0


async def test_scheduling_can_be_taken_from_a_node_and_given_back(
    client: BatchClient, raw: RawClient
) -> None:
    await raw.post("/pools", pool_body(targetDedicatedNodes=1))
    node = (await raw.nodes_in("idle", 1))[0]["id"]
    await client.disable_node_scheduling("p", node, options(nodeDisableSchedulingOption="requeue"))
    again = await raw.send("POST", f"/pools/p/nodes/{node}/disablescheduling")
    assert (again.status, again.json()["code"]) == (409, "NodeAlreadyInTargetSchedulingState")
    offline = await client.get_node("p", node)
    assert (offline.state, offline.scheduling_state) == (
        models.BatchNodeState.OFFLINE,
        models.SchedulingState.DISABLED,
    )
    await raw.post("/jobs", job_body())
    await raw.post("/jobs/j/tasks", {"id": "t", "commandLine": "true"})
    assert (await raw.get("/jobs/j/tasks/t"))["state"] == "active"
    await client.enable_node_scheduling("p", node)
    assert (await raw.task_in("completed"))["executionInfo"]["result"] == "success"


async def test_files_of_a_node_are_listed_read_and_deleted(client: BatchClient, raw: RawClient) -> None:
    start_task = {"commandLine": sh("echo hello > $AZ_BATCH_NODE_SHARED_DIR/a.txt")}
    await raw.post("/pools", pool_body(targetDedicatedNodes=1, startTask=start_task))
    node = (await raw.nodes_in("idle", 1))[0]["id"]
    names = [one.name async for one in client.list_node_files("p", node, recursive=True)]
    assert {"shared", "shared/a.txt", "startup", "startup/stdout.txt", "workitems"} <= set(names)
    facts = await client.get_node_file_properties("p", node, "shared/a.txt")
    assert (facts.content_length, facts.file_mode, facts.is_directory) == (6, "0o100644", False)
    content = b"".join([piece async for piece in await client.download_node_file("p", node, "shared/a.txt")])
    assert content == b"hello\n"
    await client.delete_node_file("p", node, "shared/a.txt")
    gone = await raw.send("GET", f"/pools/p/nodes/{node}/files/shared%2Fa.txt")
    assert (gone.status, gone.json()["code"]) == (404, "FileNotFound")


def _agent(node_id: str) -> int:
    """The process of a node, which names its folder."""
    for folder in Path("/proc").iterdir():
        try:
            arguments = (folder / "cmdline").read_bytes().split(b"\0")
        except OSError:  # no process, or none any more
            continue
        if any(one.endswith(b"/nodes/" + node_id.encode()) for one in arguments):
            return int(folder.name)
    raise AssertionError(f"no process of {node_id}")


async def test_the_death_of_an_idle_node_is_noticed_at_once(raw: RawClient) -> None:
    await raw.post("/pools", pool_body(targetDedicatedNodes=1))
    node = (await raw.nodes_in("idle", 1))[0]
    first = _agent(node["id"])
    os.kill(first, signal.SIGKILL)
    back = await until(
        lambda: raw.get(f"/pools/p/nodes/{node['id']}"),
        lambda seen: seen["state"] == "idle" and seen["lastBootTime"] > node["lastBootTime"],
    )
    assert back["id"] == node["id"]
    assert _agent(node["id"]) != first
