"""Jobs that bring a pool or a manager task along."""

from __future__ import annotations

import re
from typing import Any

from azure.batch import models
from azure.batch.aio import BatchClient

from tests.conformance.clients import RawClient, job_body, pool_body, sh, until

POOL = {name: value for name, value in pool_body(targetDedicatedNodes=1).items() if name != "id"}
GUID = r"[0-9A-F]{8}(-[0-9A-F]{4}){3}-[0-9A-F]{12}"


def auto_pool(**changes: Any) -> dict[str, Any]:
    return {"autoPoolSpecification": {"poolLifetimeOption": "job", "pool": POOL, **changes}}


async def test_a_job_runs_on_the_pool_that_it_brings(raw: RawClient) -> None:
    await raw.post("/jobs", {"id": "j", "poolInfo": auto_pool(autoPoolIdPrefix="mine")})
    await raw.post("/jobs/j/tasks", {"id": "t", "commandLine": sh("echo $AZ_BATCH_POOL_ID")})
    await raw.task_in("completed")
    name = (await raw.get("/jobs/j"))["executionInfo"]["poolId"]
    assert re.fullmatch(f"mine_{GUID}", name)
    assert (await raw.stdout()).strip() == name
    await raw.post("/jobs/j/terminate")
    await raw.job_in("completed")
    await raw.gone(f"/pools/{name}")


async def test_a_pool_may_be_kept(raw: RawClient) -> None:
    await raw.post("/jobs", {"id": "j", "poolInfo": auto_pool(keepAlive=True)})
    name = (await raw.get("/jobs/j"))["executionInfo"]["poolId"]
    assert re.fullmatch(GUID, name)
    await raw.send("DELETE", "/jobs/j")
    await raw.gone("/jobs/j")
    assert (await raw.get(f"/pools/{name}"))["state"] == "active"


async def test_a_job_that_is_replaced_keeps_its_pool(raw: RawClient) -> None:
    await raw.post("/jobs", {"id": "j", "poolInfo": auto_pool()})
    name = (await raw.get("/jobs/j"))["executionInfo"]["poolId"]
    answer = await raw.send("PUT", "/jobs/j", {"priority": 5, "poolInfo": auto_pool()})
    assert answer.status == 200
    job = await raw.get("/jobs/j")
    assert (job["priority"], job["executionInfo"]["poolId"]) == (5, name)


async def test_a_disabled_job_leaves_its_pool_for_another(raw: RawClient) -> None:
    await raw.post("/jobs", {"id": "j", "poolInfo": auto_pool()})
    name = (await raw.get("/jobs/j"))["executionInfo"]["poolId"]
    await raw.post("/jobs/j/disable", {"disableTasks": "wait"})
    await raw.job_in("disabled")
    assert (await raw.send("PATCH", "/jobs/j", {"poolInfo": {"poolId": "p"}})).status == 200
    assert (await raw.get("/jobs/j"))["executionInfo"]["poolId"] == "p"
    await raw.gone(f"/pools/{name}")


async def test_what_does_not_go_together_is_refused(raw: RawClient) -> None:
    for pool_info in (
        {**auto_pool(), "poolId": "p"},
        auto_pool(poolLifetimeOption="jobschedule"),
        auto_pool(autoPoolIdPrefix="x" * 21),
    ):
        answer = await raw.send("POST", "/jobs", {"id": "j", "poolInfo": pool_info})
        assert (answer.status, answer.json()["code"]) == (400, "InvalidPropertyValue")


async def test_the_end_of_the_manager_is_the_end_of_the_job(client: BatchClient, raw: RawClient) -> None:
    await raw.post("/pools", pool_body(targetDedicatedNodes=1))
    await client.create_job(
        models.BatchJobCreateOptions(
            id="j",
            pool_info=models.BatchPoolInfo(pool_id="p"),
            constraints=models.BatchJobConstraints(max_task_retry_count=2),
            job_manager_task=models.BatchJobManagerTask(id="m", command_line=sh("exit 0")),
        )
    )
    job = await raw.job_in("completed")
    assert job["executionInfo"]["terminateReason"] == "JMComplete"
    manager = job["jobManagerTask"]
    assert manager["constraints"]["maxTaskRetryCount"] == 2
    assert (manager["killJobOnCompletion"], manager["runExclusive"], manager["requiredSlots"]) == (
        True,
        True,
        1,
    )
    assert [task["id"] for task in (await raw.get("/jobs/j/tasks"))["value"]] == ["m"]


async def test_a_manager_shares_its_node_with_nobody(raw: RawClient) -> None:
    await raw.post("/pools", pool_body(targetDedicatedNodes=1, taskSlotsPerNode=4))
    manager = {"id": "m", "commandLine": sh("sleep 600"), "killJobOnCompletion": False}
    await raw.post("/jobs", job_body(jobManagerTask=manager))
    await raw.task_in("running", "m")
    await raw.post("/jobs/j/tasks", {"id": "t", "commandLine": sh("true")})
    node = (await raw.nodes())[0]
    assert (node["runningTasksCount"], node["runningTaskSlotsCount"]) == (1, 4)
    assert (await raw.get("/jobs/j/tasks/t"))["state"] == "active"
    await raw.post("/jobs/j/tasks/m/terminate")
    await raw.task_in("completed", "t")
    assert (await raw.get("/jobs/j"))["state"] == "active"


async def test_a_manager_that_shares_leaves_slots(raw: RawClient) -> None:
    await raw.post("/pools", pool_body(targetDedicatedNodes=1, taskSlotsPerNode=4))
    manager = {"id": "m", "commandLine": sh("sleep 600"), "runExclusive": False}
    await raw.post("/jobs", job_body(jobManagerTask=manager))
    await raw.post("/jobs/j/tasks", {"id": "t", "commandLine": sh("true")})
    await raw.task_in("completed", "t")
    await until(lambda: raw.get("/jobs/j/tasks/m"), lambda task: task["state"] == "running")
