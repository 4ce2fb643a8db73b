"""What a service answers after a restart on the same state file is what it answered before."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import anyio
import pytest

from orchestrator.local.batch.delays import NO_DELAYS, Delays
from orchestrator.local.batch.endpoint import BatchEndpoint
from orchestrator.local.batch.node import NodeProcess
from tests.conformance.clients import ACCOUNT, KEY, RawClient, job_body, pool_body, sh, until

FOREVER = Delays(job_termination=600, job_deletion=600, job_disabling=600, pool_deletion=600, allocation=600)


@pytest.fixture
def port() -> int:
    """One for every life, so that URLs stay the same."""
    with socket.create_server(("127.0.0.1", 0)) as one:
        number: int = one.getsockname()[1]
        return number


@asynccontextmanager
async def life(folder: Path, port: int = 0, delays: Delays = NO_DELAYS) -> AsyncIterator[RawClient]:
    service = BatchEndpoint(
        account_name=ACCOUNT,
        account_key=KEY,
        data_dir=folder,
        port=port,
        start_node=NodeProcess.start,
        delays=delays,
        state_file=folder / "state.sqlite",
    )
    await service.start()
    try:
        async with aiohttp.ClientSession() as session:
            yield RawClient(session, service.url)
    finally:
        await service.close()


async def answers(client: RawClient, *paths: str) -> dict[str, Any]:
    """Bodies and what tells the version, by path."""
    found = {}
    for path in paths:
        answer = await client.send("GET", path)
        found[path] = (
            answer.status,
            answer.headers.get("ETag"),
            answer.headers.get("Last-Modified"),
            answer.body,
        )
    return found


async def test_pools_jobs_and_tasks_are_told_byte_for_byte_as_before(tmp_path: Path, port: int) -> None:
    paths = (
        *("/pools", "/pools/p", "/jobs", "/jobs/j", "/jobs/ended", "/jobs/j/tasks", "/jobs/j/taskcounts"),
        *(
            "/jobschedules",
            "/jobschedules/later",
            "/jobs/j/tasks/ok",
            "/jobs/j/tasks/failed",
            "/jobs/j/tasks/waiting",
        ),
        *("/jobs/ended/jobpreparationandreleasetaskstatus", "/jobs/j/tasks/ok/files/stdout.txt"),
    )
    async with life(tmp_path, port) as client:
        await client.post(
            "/pools",
            pool_body(
                targetDedicatedNodes=1,
                metadata=[{"name": "a", "value": "ä"}],
                startTask={"commandLine": "true", "waitForSuccess": True},
            ),
        )
        preparation = {"commandLine": "true"}
        await client.post(
            "/jobs", job_body("ended", jobPreparationTask=preparation, jobReleaseTask={"commandLine": "true"})
        )
        await client.post("/jobs/ended/tasks", {"id": "t", "commandLine": "true"})
        await client.task_in("completed", job="ended")
        await client.post("/jobs/ended/terminate", {"terminateReason": "enough"})
        await client.job_in("completed", "ended")
        await client.post(
            "/jobschedules",
            {
                "id": "later",
                "schedule": {"doNotRunUntil": "2100-01-01T00:00:00Z", "recurrenceInterval": "P1D"},
                "jobSpecification": {"poolInfo": {"poolId": "p"}},
            },
        )
        await client.post("/jobs", job_body(usesTaskDependencies=True, priority=5))
        retries = {"maxTaskRetryCount": 2}
        await client.post("/jobs/j/tasks", {"id": "ok", "commandLine": sh("echo out"), "displayName": "Ok"})
        await client.post(
            "/jobs/j/tasks", {"id": "failed", "commandLine": sh("exit 3"), "constraints": retries}
        )
        await client.post(
            "/jobs/j/tasks", {"id": "waiting", "commandLine": "true", "dependsOn": {"taskIds": ["failed"]}}
        )
        await client.task_in("completed", "ok")
        await client.task_in("completed", "failed")
        await client.send("PATCH", "/jobs/j", {"priority": 7})
        (node,) = await client.nodes_in("idle", 1)
        before = await answers(client, *paths)
    async with life(tmp_path, port) as client:
        (again,) = await client.nodes_in("idle", 1)
        assert await answers(client, *paths) == before
        assert again.keys() == node.keys()
        for member in (
            "id",
            "ipAddress",
            "allocationTime",
            "totalTasksRun",
            "totalTasksSucceeded",
            "recentTasks",
        ):
            assert again[member] == node[member]
        assert again["lastBootTime"] > node["lastBootTime"]
        assert again["startTaskInfo"]["startTime"] > node["startTaskInfo"]["startTime"]


async def test_a_task_waits_on_for_those_it_depends_on_even_if_they_are_gone(tmp_path: Path) -> None:
    def depends_on(*names: str) -> dict[str, Any]:
        return {"commandLine": "true", "dependsOn": {"taskIds": list(names)}}

    async with life(tmp_path) as client:
        await client.post("/pools", pool_body(targetDedicatedNodes=1))
        await client.post("/jobs", job_body(usesTaskDependencies=True))
        await client.post("/jobs/j/tasks", {"id": "gone", "commandLine": "true"})
        await client.task_in("completed", "gone")
        assert (await client.send("DELETE", "/jobs/j/tasks/gone")).status == 200
        await client.post("/jobs/j/tasks", {"id": "b", **depends_on("gone", "a")})
    async with life(tmp_path) as client:
        await client.nodes_in("idle", 1)
        assert (await client.get("/jobs/j/tasks/b"))["state"] == "active"
        await client.post("/jobs/j/tasks", {"id": "a", **depends_on("gone")})
        await client.task_in("completed", "b")


async def test_jobs_that_were_ending_end(tmp_path: Path) -> None:
    async with life(
        tmp_path, delays=Delays(job_termination=600, job_deletion=600, job_disabling=600)
    ) as client:
        await client.post("/pools", pool_body(targetDedicatedNodes=1, taskSlotsPerNode=4))
        for name in ("terminating", "deleting", "disabling"):
            await client.post("/jobs", job_body(name))
            await client.post(f"/jobs/{name}/tasks", {"id": "t", "commandLine": "sleep 600"})
            await client.task_in("running", job=name)
        (node,) = await client.nodes()
        await client.post("/jobs/terminating/terminate", {"terminateReason": "because"})
        assert (await client.send("DELETE", "/jobs/deleting")).status == 202
        await client.post("/jobs/disabling/disable", {"disableTasks": "wait"})
    work = tmp_path / "nodes" / node["id"] / "workitems"
    assert (work / "deleting").exists()
    async with life(tmp_path) as client:
        job = await client.job_in("completed", "terminating")
        assert job["executionInfo"]["terminateReason"] == "because"
        assert (await client.get("/jobs/terminating/tasks/t"))["executionInfo"]["failureInfo"][
            "code"
        ] == "TaskEnded"
        await client.gone("/jobs/deleting")
        assert not (work / "deleting").exists()
        assert (work / "terminating").exists()
        await client.job_in("disabled", "disabling")
        task = await client.get("/jobs/disabling/tasks/t")
        assert (task["state"], task["executionInfo"]["requeueCount"]) == ("active", 0)
    async with life(tmp_path) as client:
        assert [job["id"] for job in (await client.get("/jobs"))["value"]] == ["disabling", "terminating"]


async def test_a_release_task_runs_once_though_a_restart_comes_between(tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    body = job_body(
        jobPreparationTask={"commandLine": "true"}, jobReleaseTask={"commandLine": sh(f"echo run >> {ran}")}
    )
    async with life(tmp_path, delays=Delays(job_termination=600)) as client:
        await client.post("/pools", pool_body(targetDedicatedNodes=1))
        await client.post("/jobs", body)
        await client.post("/jobs/j/tasks", {"id": "t", "commandLine": "true"})
        await client.task_in("completed")
        await client.post("/jobs/j/terminate")
        await until(lambda: client.get("/jobs/j/jobpreparationandreleasetaskstatus"), _released)
    async with life(tmp_path) as client:
        await client.job_in("completed")
        assert ran.read_text() == "run\n"
        assert _released(await client.get("/jobs/j/jobpreparationandreleasetaskstatus"))


def _released(statuses: dict[str, Any]) -> bool:
    return any(
        one.get("jobReleaseTaskExecutionInfo", {}).get("state") == "completed" for one in statuses["value"]
    )


async def test_a_pool_goes_on_to_its_targets_and_a_deleted_one_goes(tmp_path: Path) -> None:
    async with life(tmp_path, delays=FOREVER) as client:
        await client.post("/pools", pool_body("growing", targetDedicatedNodes=2))
        await client.post("/pools", pool_body("deleting"))
        await client.post("/pools", pool_body("stopping", targetDedicatedNodes=1))
        assert (await client.send("DELETE", "/pools/deleting")).status == 202
    async with life(tmp_path) as client:
        await client.gone("/pools/deleting")
        await client.nodes_in("idle", 2, "growing")
        nodes = await client.nodes_in("idle", 1, "stopping")
        await client.post("/pools/growing/resize", {"targetDedicatedNodes": 1})
        await until(lambda: client.get("/pools/growing"), lambda pool: pool["allocationState"] == "steady")
    async with life(tmp_path) as client:
        assert len(await client.nodes_in("idle", 1, "growing")) == 1
        assert [node["id"] for node in await client.nodes_in("idle", 1, "stopping")] == [nodes[0]["id"]]
        kept = {node["id"] for pool in ("growing", "stopping") for node in await client.nodes(pool)}
        assert {folder.name for folder in (tmp_path / "nodes").iterdir()} == kept


async def test_a_deallocated_node_stays_down_until_it_is_started(tmp_path: Path) -> None:
    async with life(tmp_path) as client:
        await client.post("/pools", pool_body(targetDedicatedNodes=2))
        node = (await client.nodes_in("idle", 2))[0]["id"]
        await client.post(f"/pools/p/nodes/{node}/deallocate")
        await client.nodes_in("deallocated", 1)
    async with life(tmp_path) as client:
        await client.nodes_in("idle", 1)
        assert (await client.get(f"/pools/p/nodes/{node}"))["state"] == "deallocated"
        await client.post(f"/pools/p/nodes/{node}/start")
        await client.nodes_in("idle", 2)


async def test_an_id_that_is_used_again_has_nothing_of_its_former_self(tmp_path: Path) -> None:
    async with life(tmp_path) as client:
        for tasks in (3, 1):
            await client.post("/jobs", job_body())
            for number in range(tasks):
                await client.post("/jobs/j/tasks", {"id": f"t{number}", "commandLine": "true"})
            if tasks > 1:
                await client.send("DELETE", "/jobs/j")
                await client.gone("/jobs/j")
    async with life(tmp_path) as client:
        assert [task["id"] for task in (await client.get("/jobs/j/tasks"))["value"]] == ["t0"]
        assert (await client.get("/jobs/j/taskcounts"))["taskCounts"]["active"] == 1


@pytest.mark.parametrize("keep", [False, True])
async def test_a_job_finds_the_pool_again_that_it_brought_and_takes_it_along(
    tmp_path: Path, *, keep: bool
) -> None:
    pool = {name: value for name, value in pool_body(targetDedicatedNodes=1).items() if name != "id"}
    brought = {"poolLifetimeOption": "job", "keepAlive": keep, "pool": pool}
    async with life(tmp_path) as client:
        await client.post("/jobs", {"id": "j", "poolInfo": {"autoPoolSpecification": brought}})
        name = (await client.get("/jobs/j"))["executionInfo"]["poolId"]
        await client.nodes_in("idle", 1, name)
    async with life(tmp_path) as client:
        assert (await client.get("/jobs/j"))["executionInfo"]["poolId"] == name
        await client.post("/jobs/j/tasks", {"id": "t", "commandLine": "true"})
        task = await client.task_in("completed")
        assert task["nodeInfo"]["poolId"] == name
        await client.post("/jobs/j/terminate")
        await client.job_in("completed")
        if keep:
            assert (await client.get(f"/pools/{name}"))["state"] == "active"
        else:
            await client.gone(f"/pools/{name}")


async def test_a_restart_while_the_pool_of_a_finished_job_goes_lets_it_go(tmp_path: Path) -> None:
    pool = {name: value for name, value in pool_body(targetDedicatedNodes=1).items() if name != "id"}
    brought = {"poolLifetimeOption": "job", "pool": pool}
    async with life(tmp_path, delays=Delays(pool_deletion=600)) as client:
        await client.post("/jobs", {"id": "j", "poolInfo": {"autoPoolSpecification": brought}})
        name = (await client.get("/jobs/j"))["executionInfo"]["poolId"]
        await client.post("/jobs/j/terminate")
        await client.job_in("completed")
        assert (await client.get(f"/pools/{name}"))["state"] == "deleting"
    async with life(tmp_path) as client:
        await client.gone(f"/pools/{name}")
        assert (await client.get("/jobs/j"))["executionInfo"]["poolId"] == name


async def test_a_deleted_job_of_many_tasks_is_gone_after_a_restart_in_the_middle(tmp_path: Path) -> None:
    async with life(tmp_path) as client:
        await client.post("/jobs", job_body())
        for first in range(0, 3000, 100):
            tasks = [{"id": f"t{first + number}", "commandLine": "true"} for number in range(100)]
            await client.post("/jobs/j/addtaskcollection", {"value": tasks})
        assert (await client.send("DELETE", "/jobs/j")).status == 202
        # The service ends here, while its tasks go or before.
    async with life(tmp_path) as client:
        await client.gone("/jobs/j")
        await client.post("/jobs", job_body())
        assert (await client.get("/jobs/j/tasks"))["value"] == []
    async with life(tmp_path) as client:
        assert (await client.get("/jobs/j/taskcounts"))["taskCounts"]["active"] == 0


async def test_files_whose_time_ran_out_meanwhile_go_after_a_restart(tmp_path: Path) -> None:
    async with life(tmp_path) as client:
        await client.post("/pools", pool_body(targetDedicatedNodes=1))
        await client.post("/jobs", job_body())
        constraints = {"retentionTime": "PT5S"}
        await client.post("/jobs/j/tasks", {"id": "t", "commandLine": "true", "constraints": constraints})
        task = await client.task_in("completed")
    folder: Path = tmp_path / "nodes" / task["nodeInfo"]["nodeId"] / task["nodeInfo"]["taskRootDirectory"]
    assert _exists(folder)
    async with life(tmp_path) as client:
        await until(lambda: anyio.to_thread.run_sync(_exists, folder), lambda seen: not seen)
        answer = await client.send("GET", "/jobs/j/tasks/t/files/stdout.txt")
        assert (answer.status, answer.json()["code"]) == (409, "TaskFilesCleanedup")


def _exists(folder: Path) -> bool:
    return folder.exists()
