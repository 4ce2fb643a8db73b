"""Nodes that lose their files and come back."""

from __future__ import annotations

from azure.batch import models
from azure.batch.aio import BatchClient

from tests.conformance.clients import PAUSE, RawClient, options, pool_body, sh, until


async def test_a_reimaged_node_boots_without_its_files(client: BatchClient, raw: RawClient, job: str) -> None:
    node = (await raw.nodes_in("idle", 1))[0]
    script = "touch $AZ_BATCH_NODE_SHARED_DIR/mark"
    await raw.post(f"{job}/tasks", {"id": "t", "commandLine": sh(script)})
    await raw.task_in("completed")
    mark = f"/pools/p/nodes/{node['id']}/files/shared%2Fmark"
    assert (await raw.send("GET", mark)).status == 200
    poller = await client.begin_reimage_node(
        "p", node["id"], options(nodeReimageOption="requeue"), polling_interval=PAUSE
    )
    assert (await raw.nodes())[0]["state"] != "idle"
    await poller.result()
    again = (await raw.nodes_in("idle", 1))[0]
    assert (again["id"], again["lastBootTime"] > node["lastBootTime"]) == (node["id"], True)
    assert (await raw.send("GET", mark)).json()["code"] == "FileNotFound"


async def test_a_reimaged_node_prepares_its_jobs_anew(raw: RawClient) -> None:
    await raw.post("/pools", pool_body(targetDedicatedNodes=1))
    preparation = {"commandLine": sh("echo once"), "rerunOnNodeRebootAfterSuccess": False}
    await raw.post("/jobs", {"id": "j", "poolInfo": {"poolId": "p"}, "jobPreparationTask": preparation})
    await raw.post("/jobs/j/tasks", {"id": "a", "commandLine": sh("true")})
    await raw.task_in("completed", "a")
    node = (await raw.nodes_in("idle", 1))[0]["id"]
    first = await preparation_start(raw)
    await raw.post(f"/pools/p/nodes/{node}/reimage")
    await raw.post("/jobs/j/tasks", {"id": "b", "commandLine": sh("true")})
    await raw.task_in("completed", "b")
    assert await preparation_start(raw) > first


async def preparation_start(raw: RawClient) -> str:
    page = await raw.get("/jobs/j/jobpreparationandreleasetaskstatus")
    started: str = page["value"][0]["jobPreparationTaskExecutionInfo"]["startTime"]
    return started


async def test_a_node_is_deallocated_and_started(client: BatchClient, raw: RawClient) -> None:
    await raw.post("/pools", pool_body(targetDedicatedNodes=1))
    node = (await raw.nodes_in("idle", 1))[0]["id"]
    poller = await client.begin_deallocate_node(
        "p", node, options(nodeDeallocateOption="requeue"), polling_interval=PAUSE
    )
    await poller.result()
    gone = await raw.get(f"/pools/p/nodes/{node}")
    assert (gone["state"], gone["schedulingState"]) == ("deallocated", "disabled")
    counts = (await raw.get("/nodecounts"))["value"][0]["dedicated"]
    assert (counts["deallocated"], counts["total"]) == (1, 1)
    again = await raw.send("POST", f"/pools/p/nodes/{node}/deallocate")
    assert again.status == 409
    await (await client.begin_start_node("p", node, polling_interval=PAUSE)).result()
    seen = (await raw.nodes_in("idle", 1))[0]
    assert (seen["id"], seen["schedulingState"]) == (node, models.SchedulingState.ENABLED)
    running = await raw.send("POST", f"/pools/p/nodes/{node}/start")
    assert (running.status, running.json()["code"]) == (409, "OperationInvalidForCurrentState")


async def test_tasks_of_a_deallocated_node_are_queued_again(raw: RawClient, job: str) -> None:
    node = (await raw.nodes_in("idle", 1))[0]["id"]
    await raw.post(f"{job}/tasks", {"id": "t", "commandLine": sh("sleep 600")})
    await raw.task_in("running")
    await raw.post(f"/pools/p/nodes/{node}/deallocate")
    task = await raw.task_in("active")
    assert task["executionInfo"]["requeueCount"] == 1
    await raw.nodes_in("deallocated", 1)
    await raw.post(f"/pools/p/nodes/{node}/start")
    await raw.task_in("running")


async def test_a_deallocated_node_can_be_removed(raw: RawClient) -> None:
    await raw.post("/pools", pool_body(targetDedicatedNodes=1))
    node = (await raw.nodes_in("idle", 1))[0]["id"]
    await raw.post(f"/pools/p/nodes/{node}/deallocate")
    await raw.post("/pools/p/removenodes", {"nodeList": [node]})
    await until(raw.nodes, lambda nodes: nodes == [])


async def test_older_versions_reimage_cloud_services_only(raw: RawClient) -> None:
    await raw.post("/pools", pool_body(targetDedicatedNodes=1))
    node = (await raw.nodes_in("idle", 1))[0]["id"]
    answer = await raw.send("POST", f"/pools/p/nodes/{node}/reimage", version="2023-05-01.17.0")
    assert (answer.status, answer.json()["code"]) == (409, "OperationNotValidOnNode")
