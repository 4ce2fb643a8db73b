"""The live profile, made shorter."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from orchestrator.local.batch.delays import LIVE_DELAYS, Pace
from orchestrator.local.batch.endpoint import BatchEndpoint
from orchestrator.local.batch.node import NodeProcess
from tests.conformance.clients import ACCOUNT, KEY, RawClient, job_body, pool_body, until

SCALE = 0.01


@pytest.fixture
async def endpoint(tmp_path: Path) -> AsyncIterator[BatchEndpoint]:
    one = BatchEndpoint(
        account_name=ACCOUNT,
        account_key=KEY,
        data_dir=tmp_path,
        start_node=NodeProcess.start,
        delays=Pace(LIVE_DELAYS, SCALE),
    )
    await one.start()
    yield one
    await one.close()


async def test_everything_takes_its_time_in_the_real_order(raw: RawClient) -> None:
    began = time.monotonic()
    await raw.post("/pools", pool_body(targetDedicatedNodes=1))
    pool = await until(lambda: raw.get("/pools/p"), lambda seen: seen["allocationState"] == "steady")
    assert time.monotonic() - began >= 50 * SCALE
    assert pool["currentDedicatedNodes"] == 1
    await raw.nodes_in("idle", 1)
    assert time.monotonic() - began >= 70 * SCALE
    await raw.post("/jobs", job_body())
    await raw.post("/jobs/j/tasks", {"id": "t", "commandLine": "true"})
    added = await raw.get("/jobs/j/tasks/t")
    done = await raw.task_in("completed")
    assert added["state"] == "active"
    assert done["executionInfo"]["startTime"] > added["creationTime"]
    await raw.post("/jobs/j/terminate", {})
    assert (await raw.get("/jobs/j"))["state"] == "terminating"
    await raw.job_in("completed")
    await raw.send("DELETE", "/pools/p")
    await raw.gone("/pools/p")


async def test_a_task_that_goes_before_it_may_start_never_runs(raw: RawClient) -> None:
    await raw.post("/pools", pool_body(targetDedicatedNodes=1))
    await raw.nodes_in("idle", 1)
    await raw.post("/jobs", job_body())
    await raw.post("/jobs/j/tasks", {"id": "gone", "commandLine": "sleep 600"})
    await raw.send("DELETE", "/jobs/j/tasks/gone")
    await raw.post("/jobs/j/tasks", {"id": "ended", "commandLine": "sleep 600"})
    await raw.post("/jobs/j/tasks/ended/terminate")
    await raw.post("/jobs/j/tasks", {"id": "last", "commandLine": "true"})
    await raw.task_in("completed", "last")
    ended = await raw.get("/jobs/j/tasks/ended")
    assert (ended["state"], ended["executionInfo"]["failureInfo"]["code"]) == ("completed", "TaskEnded")
