"""Job schedules."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from azure.batch import models
from azure.batch.aio import BatchClient

from orchestrator.local.batch.endpoint import BatchEndpoint
from orchestrator.local.batch.node import NodeProcess
from orchestrator.local.wire import times
from tests.conformance.clients import ACCOUNT, KEY, PAUSE, RawClient, job_body, pool_body, sh, until


def schedule_body(name: str = "s", job: dict[str, Any] | None = None, **timing: str) -> dict[str, Any]:
    specification = {"poolInfo": {"poolId": "p"}, **(job or {})}
    return {"id": name, "schedule": timing, "jobSpecification": specification}


@asynccontextmanager
async def life(folder: Path, shortest_recurrence: float = 60.0) -> AsyncIterator[RawClient]:
    """Of a service that keeps its state in a folder."""
    endpoint = BatchEndpoint(
        account_name=ACCOUNT,
        account_key=KEY,
        data_dir=folder,
        start_node=NodeProcess.start,
        shortest_recurrence=shortest_recurrence,
        state_file=folder / "state.sqlite",
    )
    await endpoint.start()
    try:
        async with aiohttp.ClientSession() as session:
            yield RawClient(session, endpoint.url)
    finally:
        await endpoint.close()


@pytest.fixture
async def quick(tmp_path: Path) -> AsyncIterator[RawClient]:
    """Of a service that lets schedules recur many times a second."""
    async with life(tmp_path, shortest_recurrence=0.0) as client:
        yield client


async def in_state(raw: RawClient, state: str) -> Any:
    return await until(lambda: raw.get("/jobschedules/s"), lambda seen: seen["state"] == state)


async def job_names(raw: RawClient) -> list[str]:
    return [job["id"] for job in (await raw.get("/jobschedules/s/jobs"))["value"]]


async def test_the_sdk_creates_changes_ends_and_deletes_a_schedule(
    client: BatchClient, raw: RawClient
) -> None:
    await client.create_job_schedule(
        models.BatchJobScheduleCreateOptions(
            id="s",
            schedule=models.BatchJobScheduleConfiguration(recurrence_interval=timedelta(days=1)),
            job_specification=models.BatchJobSpecification(
                pool_info=models.BatchPoolInfo(pool_id="p"), priority=3
            ),
        )
    )
    assert await client.job_schedule_exists("s")
    created = await client.get_job_schedule("s")
    assert created.state == models.BatchJobScheduleState.ACTIVE
    assert created.execution_info is not None
    assert created.execution_info.recent_job is not None
    assert created.execution_info.recent_job.id == "s:job-1"
    assert [job.id async for job in client.list_jobs_from_schedule("s")] == ["s:job-1"]
    assert (await client.get_job("s:job-1")).priority == 3
    await client.disable_job_schedule("s")
    assert (await client.get_job_schedule("s")).state == models.BatchJobScheduleState.DISABLED
    await client.enable_job_schedule("s")
    patch = models.BatchJobScheduleUpdateOptions(
        schedule=models.BatchJobScheduleConfiguration(recurrence_interval=timedelta(hours=10))
    )
    await client.update_job_schedule("s", patch)
    assert [one.id async for one in client.list_job_schedules(filter="state eq 'active'")] == ["s"]
    await (await client.begin_terminate_job_schedule("s", polling_interval=PAUSE)).result()
    ended = await raw.get("/jobschedules/s")
    assert (ended["state"], "endTime" in ended["executionInfo"]) == ("completed", True)
    job = await raw.get("/jobs/s:job-1")
    assert (job["state"], job["executionInfo"]["terminateReason"]) == ("completed", "TerminateJobSchedule")
    await (await client.begin_delete_job_schedule("s", polling_interval=PAUSE)).result()
    await raw.gone("/jobschedules/s")
    assert (await raw.send("GET", "/jobs/s:job-1")).status == 404


async def test_a_job_is_made_when_the_one_before_is_over(quick: RawClient) -> None:
    await quick.post("/jobschedules", schedule_body(recurrenceInterval="PT0.01S"))
    assert await job_names(quick) == ["s:job-1"]
    await quick.post("/jobs/s:job-1/terminate")
    await until(lambda: job_names(quick), lambda names: names == ["s:job-1", "s:job-2"])
    schedule = await quick.get("/jobschedules/s")
    assert schedule["executionInfo"]["recentJob"]["id"] == "s:job-2"
    assert schedule["executionInfo"]["nextRunTime"] > schedule["creationTime"]


async def test_a_disabled_schedule_makes_no_job(quick: RawClient) -> None:
    await quick.post("/jobschedules", schedule_body(recurrenceInterval="PT0.01S"))
    await quick.post("/jobschedules/s/disable")
    await quick.post("/jobs/s:job-1/terminate")
    await quick.job_in("completed", "s:job-1")
    assert await job_names(quick) == ["s:job-1"]
    await quick.post("/jobschedules/s/enable")
    await until(lambda: job_names(quick), lambda names: len(names) == 2)


async def test_a_schedule_without_recurrence_ends_with_its_job(raw: RawClient) -> None:
    await raw.post("/jobschedules", schedule_body())
    assert "nextRunTime" not in (await raw.get("/jobschedules/s"))["executionInfo"]
    await raw.post("/jobs/s:job-1/terminate")
    await in_state(raw, "completed")
    late = await raw.send("POST", "/jobschedules/s/disable")
    assert (late.status, late.json()["code"]) == (409, "JobScheduleCompleted")


async def test_nothing_is_made_before_its_time(raw: RawClient) -> None:
    later = times.timestamp(times.now() + 3600 * times.TICKS_PER_SECOND)
    await raw.post("/jobschedules", schedule_body(doNotRunUntil=later))
    schedule = await raw.get("/jobschedules/s")
    assert await job_names(raw) == []
    assert schedule["executionInfo"] == {"nextRunTime": later}


async def test_a_change_matters_for_the_jobs_made_later(quick: RawClient) -> None:
    await quick.post("/jobschedules", schedule_body(recurrenceInterval="PT0.01S"))
    changed = schedule_body(job={"priority": 7}, recurrenceInterval="PT0.02S")
    del changed["id"]
    assert (await quick.send("PUT", "/jobschedules/s", changed)).status == 200
    assert (await quick.get("/jobs/s:job-1"))["priority"] == 0
    await quick.post("/jobs/s:job-1/terminate")
    await until(lambda: job_names(quick), lambda names: len(names) == 2)
    assert (await quick.get("/jobs/s:job-2"))["priority"] == 7


async def test_tasks_of_a_scheduled_job_run_below_its_schedule(raw: RawClient) -> None:
    await raw.post("/pools", pool_body(targetDedicatedNodes=1))
    await raw.post("/jobschedules", schedule_body())
    await raw.post("/jobs/s:job-1/tasks", {"id": "t", "commandLine": sh("echo $AZ_BATCH_TASK_DIR")})
    task = await raw.task_in("completed", job="s:job-1")
    assert task["nodeInfo"]["taskRootDirectory"] == "workitems/s/job-1/t"
    assert (await raw.stdout(job="s:job-1")).strip().endswith("/workitems/s/job-1/t")


async def test_the_jobs_of_a_schedule_share_the_pool_that_they_bring(quick: RawClient) -> None:
    pool = {name: value for name, value in pool_body().items() if name != "id"}
    specification = {"autoPoolSpecification": {"poolLifetimeOption": "jobschedule", "pool": pool}}
    await quick.post(
        "/jobschedules", schedule_body(job={"poolInfo": specification}, recurrenceInterval="PT0.01S")
    )
    first = (await quick.get("/jobs/s:job-1"))["executionInfo"]["poolId"]
    await quick.post("/jobs/s:job-1/terminate")
    await until(lambda: job_names(quick), lambda names: len(names) == 2)
    assert (await quick.get("/jobs/s:job-2"))["executionInfo"]["poolId"] == first
    assert (await quick.get(f"/pools/{first}"))["state"] == "active"
    await quick.send("DELETE", "/jobschedules/s")
    await quick.gone(f"/pools/{first}")


async def test_what_a_schedule_refuses(raw: RawClient) -> None:
    async def code(method: str, path: str, body: Any = None) -> tuple[int, str]:
        answer = await raw.send(method, path, body)
        return answer.status, answer.json()["code"]

    assert await code("GET", "/jobschedules/none") == (404, "JobScheduleNotFound")
    short = schedule_body(recurrenceInterval="PT30S")
    assert await code("POST", "/jobschedules", short) == (400, "InvalidPropertyValue")
    backwards = schedule_body(doNotRunUntil="2030-01-02T00:00:00Z", doNotRunAfter="2030-01-01T00:00:00Z")
    assert await code("POST", "/jobschedules", backwards) == (400, "InvalidPropertyValue")
    await raw.post("/jobs", job_body("taken"))
    assert await code("POST", "/jobschedules", schedule_body("taken")) == (409, "JobWithSameIdExists")
    await raw.post("/jobschedules", schedule_body())
    assert await code("POST", "/jobschedules", schedule_body("S")) == (409, "JobScheduleExists")
    assert await code("POST", "/jobs", job_body("s")) == (409, "JobScheduleWithSameIdExists")


async def test_a_restart_finds_schedules_their_pools_and_formulas_again(tmp_path: Path) -> None:
    pool = {name: value for name, value in pool_body(targetDedicatedNodes=0).items() if name != "id"}
    own = {"autoPoolSpecification": {"poolLifetimeOption": "job", "pool": pool}}
    scaled: dict[str, Any] = {"enableAutoScale": True, "autoScaleFormula": "$TargetDedicatedNodes=0"}
    async with life(tmp_path) as first:
        await first.post("/jobschedules", schedule_body(job={"poolInfo": own}, recurrenceInterval="PT1H"))
        await first.post("/pools", pool_body(**scaled))
        before = [await first.get(path) for path in ("/jobschedules/s", "/pools/p", "/jobs/s:job-1")]
    async with life(tmp_path) as second:
        after = [await second.get(path) for path in ("/jobschedules/s", "/pools/p", "/jobs/s:job-1")]
        for old, new in zip(before, after, strict=True):
            assert (old["id"], old["eTag"], old["state"]) == (new["id"], new["eTag"], new["state"])
        assert before[0]["executionInfo"]["nextRunTime"] == after[0]["executionInfo"]["nextRunTime"]
        assert before[1]["autoScaleRun"] == after[1]["autoScaleRun"]
        own_pool = after[2]["executionInfo"]["poolId"]
        assert own_pool == before[2]["executionInfo"]["poolId"]
        await second.post("/jobschedules/s/terminate")
        await in_state(second, "completed")
        await second.gone(f"/pools/{own_pool}")
        await second.send("DELETE", "/jobschedules/s")
        await second.gone("/jobschedules/s")
    async with life(tmp_path) as third:
        assert (await third.get("/jobschedules"))["value"] == []
