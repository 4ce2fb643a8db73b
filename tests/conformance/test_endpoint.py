"""The life of the endpoint itself, and the delays that it can take."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from orchestrator.local.batch.delays import NO_DELAYS, Delays
from orchestrator.local.batch.endpoint import BatchEndpoint
from orchestrator.local.batch.node import NodeProcess
from tests.conformance.clients import ACCOUNT, KEY, RawClient, job_body, pool_body, sh, until

Make = Callable[..., BatchEndpoint]

LONG = 600.0


@pytest.fixture
async def make(tmp_path: Path) -> AsyncIterator[Make]:
    made: list[BatchEndpoint] = []

    def one(
        *, delays: Delays = NO_DELAYS, port: int = 0, start_node: Any = NodeProcess.start
    ) -> BatchEndpoint:
        endpoint = BatchEndpoint(
            account_name=ACCOUNT,
            account_key=KEY,
            data_dir=tmp_path,
            port=port,
            start_node=start_node,
            delays=delays,
        )
        made.append(endpoint)
        return endpoint

    yield one
    for endpoint in made:
        await endpoint.close()


async def test_it_may_be_started_and_closed_from_different_tasks(make: Make) -> None:
    endpoint = make()
    await asyncio.create_task(endpoint.start())
    async with aiohttp.ClientSession() as session:
        raw = RawClient(session, endpoint.url)
        await raw.post("/pools", pool_body(targetDedicatedNodes=1))
        await raw.nodes_in("idle", 1)
    await asyncio.create_task(endpoint.close())
    await endpoint.close()


async def test_closing_kills_what_runs(make: Make) -> None:
    endpoint = make()
    await endpoint.start()
    async with aiohttp.ClientSession() as session:
        raw = RawClient(session, endpoint.url)
        await raw.post("/pools", pool_body(targetDedicatedNodes=1))
        await raw.post("/jobs", job_body())
        await raw.post("/jobs/j/tasks", {"id": "t", "commandLine": sh("echo $$; exec sleep 600")})
        await raw.task_in("running")
        answer = await until(
            lambda: raw.send("GET", "/jobs/j/tasks/t/files/stdout.txt"),
            lambda seen: seen.body.endswith(b"\n"),
        )
    process = int(answer.body)
    os.kill(process, 0)
    await endpoint.close()
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)


async def test_closing_in_the_middle_of_a_boot_leaves_nothing(make: Make, tmp_path: Path) -> None:
    endpoint = make()
    await endpoint.start()
    async with aiohttp.ClientSession() as session:
        await RawClient(session, endpoint.url).post("/pools", pool_body(targetDedicatedNodes=3))
    await endpoint.close()
    assert _processes_of(tmp_path) == []


def _processes_of(folder: Path) -> list[Path]:
    mark = str(folder).encode()
    return [one for one in Path("/proc").glob("[0-9]*/cmdline") if mark in _content(one)]


def _content(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError:  # the process ended meanwhile
        return b""


async def test_a_port_that_is_taken_is_an_error_and_leaves_nothing(make: Make) -> None:
    first = make()
    await first.start()
    second = make(port=int(first.url.rpartition(":")[2]))
    with pytest.raises(OSError, match="in use"):
        await second.start()


async def test_delays_let_every_state_be_seen(make: Make) -> None:
    endpoint = make(delays=Delays(allocation=0.2, node_creation=0.2, node_start=0.2, node_removal=0.2))
    await endpoint.start()
    async with aiohttp.ClientSession() as session:
        raw = RawClient(session, endpoint.url)
        await raw.post("/pools", pool_body(targetDedicatedNodes=1))
        assert await raw.nodes() == []
        busy = await raw.send("POST", "/pools/p/resize", {"targetDedicatedNodes": 2})
        assert (busy.status, busy.json()["code"]) == (409, "PoolBeingResized")
        for state in ("creating", "starting", "idle"):
            await raw.nodes_in(state, 1)
        pool = await raw.get("/pools/p")
        assert (pool["allocationState"], pool["currentDedicatedNodes"]) == ("steady", 1)
        await raw.post("/pools/p/resize", {"targetDedicatedNodes": 0})
        await raw.nodes_in("leavingpool", 1)


async def test_a_stopped_resize_is_steady_with_an_error(make: Make) -> None:
    endpoint = make(delays=Delays(allocation=LONG))
    await endpoint.start()
    async with aiohttp.ClientSession() as session:
        raw = RawClient(session, endpoint.url)
        created = await raw.post("/pools", pool_body(targetLowPriorityNodes=1))
        stopped = await raw.post("/pools/p/stopresize")
        assert stopped.headers["ETag"] == created.headers["ETag"]
        pool = await until(lambda: raw.get("/pools/p"), lambda seen: seen["allocationState"] == "steady")
        assert (pool["targetLowPriorityNodes"], pool["currentLowPriorityNodes"]) == (1, 0)
        assert pool["resizeErrors"] == [
            {
                "code": "ResizeStopped",
                "message": "Desired number of low priority nodes could not be allocated"
                " due to a stop resize operation",
            }
        ]


@pytest.mark.parametrize("delay", ["allocation", "node_creation", "node_start"])
async def test_a_pool_is_deleted_while_it_still_comes_up(make: Make, delay: str) -> None:
    endpoint = make(delays=Delays(**{delay: LONG}))
    await endpoint.start()
    async with aiohttp.ClientSession() as session:
        raw = RawClient(session, endpoint.url)
        await raw.post("/pools", pool_body(targetDedicatedNodes=2))
        if delay != "allocation":
            await raw.nodes_in("creating" if delay == "node_creation" else "starting", 2)
        await raw.send("DELETE", "/pools/p")
        await raw.gone("/pools/p")


async def test_deleting_and_terminating_states_are_seen_at_once(make: Make) -> None:
    endpoint = make(
        delays=Delays(job_termination=0.2, job_deletion=0.2, job_disabling=0.2, pool_deletion=0.2)
    )
    await endpoint.start()
    async with aiohttp.ClientSession() as session:
        raw = RawClient(session, endpoint.url)
        await raw.post("/jobs", job_body())
        for action, state, then in (
            ("disable", "disabling", "disabled"),
            ("terminate", "terminating", "completed"),
        ):
            await raw.post(f"/jobs/j/{action}", {"disableTasks": "wait"} if action == "disable" else None)
            job = await raw.get("/jobs/j")
            assert (job["state"], job["previousState"]) == (
                state,
                "active" if action == "disable" else "disabled",
            )
            await raw.job_in(then)
        await raw.send("DELETE", "/jobs/j")
        assert (await raw.get("/jobs/j"))["state"] == "deleting"
        again = await raw.send("DELETE", "/jobs/j")
        assert (again.status, again.json()["code"]) == (409, "JobBeingDeleted")
        await raw.gone("/jobs/j")
        await raw.post("/pools", pool_body())
        await raw.send("DELETE", "/pools/p")
        assert (await raw.get("/pools/p"))["state"] == "deleting"
        taken = await raw.send("POST", "/pools", pool_body())
        assert (taken.status, taken.json()["code"]) == (409, "PoolBeingDeleted")
        await raw.gone("/pools/p")


async def test_a_job_that_ends_with_its_tasks_waits_a_little_for_the_first(make: Make) -> None:
    endpoint = make(delays=Delays(empty_job=0.2))
    await endpoint.start()
    async with aiohttp.ClientSession() as session:
        raw = RawClient(session, endpoint.url)
        await raw.post("/jobs", job_body(onAllTasksComplete="terminatejob"))
        assert (await raw.get("/jobs/j"))["state"] == "active"
        job = await raw.job_in("completed")
        assert job["executionInfo"]["terminateReason"] == "AllTasksComplete"


async def test_a_node_that_cannot_start_is_unusable(make: Make) -> None:
    async def refuse(root: Path) -> NodeProcess:
        raise OSError(f"no room at {root}")

    endpoint = make(start_node=refuse)
    await endpoint.start()
    async with aiohttp.ClientSession() as session:
        raw = RawClient(session, endpoint.url)
        await raw.post("/pools", pool_body(targetDedicatedNodes=1))
        await raw.nodes_in("unusable", 1)
        await raw.send("DELETE", "/pools/p")
        await raw.gone("/pools/p")
