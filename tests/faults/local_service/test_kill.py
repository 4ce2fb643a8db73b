"""kill -9 of the service in the middle of its work: nothing accepted is lost, nothing is invented."""

from __future__ import annotations

import asyncio
import operator
import signal
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import anyio
import pytest

from tests.conformance.clients import LIMIT, RawClient, job_body, pool_body, sh, until
from tests.faults.local_service.kept import all_tasks, kept

TASKS = 1000
IN_COLLECTION = 100
ENOUGH = 50
"""Collections that were accepted before the kill."""
KILLS_AT = (100, 400, 700)
"""Tasks completed at each of three kills."""


async def completed(client: RawClient) -> int:
    counts = await client.get("/jobs/j/taskcounts")
    number: int = counts["taskCounts"]["completed"]
    return number


def runs(folder: Path) -> Counter[str]:
    """Count the lines that each task wrote, one a run."""
    return Counter({path.name: len(path.read_text().splitlines()) for path in folder.iterdir()})


async def test_every_task_is_completed_exactly_once_though_the_service_is_killed_three_times(
    tmp_path: Path,
) -> None:
    ran = tmp_path / "ran"
    ran.mkdir()
    ids = [f"task-{number:04}" for number in range(TASKS)]
    command = sh(f"echo run >> {ran}/$AZ_BATCH_TASK_ID")
    seen: dict[str, Any] = {}
    counted: Counter[str] = Counter()
    for life, limit in enumerate((*KILLS_AT, TASKS)):
        async with kept(tmp_path / "state") as service:
            if life == 0:
                await service.client.post("/pools", pool_body(targetDedicatedNodes=2, taskSlotsPerNode=4))
                await service.client.post("/jobs", job_body())
                for first in range(0, TASKS, IN_COLLECTION):
                    some = ids[first : first + IN_COLLECTION]
                    bodies = [{"id": one, "commandLine": command} for one in some]
                    await service.client.post("/jobs/j/addtaskcollection", {"value": bodies})
            await until(partial(completed, service.client), partial(operator.le, limit))
            tasks = await all_tasks(service.client)
            await service.end()
        assert sorted(tasks) == ids
        # What a client was told is over stays as it is, and does not run again.
        assert {name: tasks[name] for name in seen} == seen
        now_counted = runs(ran)
        assert all(now_counted[name] == counted[name] for name in seen)
        seen = {name: task for name, task in tasks.items() if task["state"] == "completed"}
        assert len(seen) >= limit
        counted = now_counted
    assert len(seen) == TASKS
    infos = [task["executionInfo"] for task in seen.values()]
    assert {info["result"] for info in infos} == {"success"}
    assert {(info["retryCount"], info["requeueCount"]) for info in infos} == {(0, 0)}
    assert sorted(counted) == ids
    # A run whose end was not kept yet when the service died is the only reason for another one.
    assert max(counted.values()) <= 1 + len(KILLS_AT)


async def test_whatever_was_accepted_while_tasks_were_added_is_there_after_a_kill(tmp_path: Path) -> None:
    accepted: list[str] = []
    in_the_middle = asyncio.Event()
    sent: dict[str, list[str]] = {}

    async def add(client: RawClient, worker: int) -> None:
        for number in range(1000):
            name = f"c{worker}-{number:03}"
            sent[name] = [f"{name}-{one:02}" for one in range(IN_COLLECTION)]
            bodies = [{"id": one, "commandLine": "true"} for one in sent[name]]
            answer = await client.send("POST", "/jobs/j/addtaskcollection", {"value": bodies})
            assert answer.status == 200
            accepted.append(name)
            if len(accepted) == ENOUGH:
                in_the_middle.set()

    async def add_until_it_dies(client: RawClient, worker: int) -> None:
        with pytest.raises(aiohttp.ClientError):
            await add(client, worker)

    async with kept(tmp_path / "state") as service:
        await service.client.post("/jobs", job_body())
        async with asyncio.TaskGroup() as group:
            for worker in range(4):
                group.create_task(add_until_it_dies(service.client, worker))
            with anyio.fail_after(LIMIT):
                await in_the_middle.wait()
            service.process.kill()
    async with kept(tmp_path / "state") as service:
        found = set(await all_tasks(service.client))
        counts = (await service.client.get("/jobs/j/taskcounts"))["taskCounts"]
    assert counts["active"] == len(found)
    for name, tasks in sent.items():
        # One collection is one transaction: what was not answered is there as a whole or not at all.
        assert found & set(tasks) in (set(), set(tasks))
        assert name not in accepted or found.issuperset(tasks)
    assert found <= {task for tasks in sent.values() for task in tasks}


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
async def test_a_running_task_runs_anew_without_a_trace_in_its_counters(
    tmp_path: Path, number: signal.Signals
) -> None:
    mark = tmp_path / "mark"
    command = sh(f"test -e {mark} || {{ touch {mark}; exec sleep 600; }}")
    async with kept(tmp_path / "state") as service:
        await service.client.post("/pools", pool_body(targetDedicatedNodes=1))
        await service.client.post("/jobs", job_body())
        await service.client.post("/jobs/j/tasks", {"id": "t", "commandLine": command})
        await service.client.task_in("running")
        await until(anyio.Path(mark).exists, bool)
        (before,) = await service.client.nodes()
        await service.end(number)
    async with kept(tmp_path / "state") as service:
        task = await service.client.task_in("completed")
        (node,) = await service.client.nodes()
        assert node["id"] == before["id"] == task["nodeInfo"]["nodeId"]
        info = task["executionInfo"]
        assert (info["result"], info["retryCount"], info["requeueCount"]) == ("success", 0, 0)
        assert "lastRequeueTime" not in info


@pytest.mark.parametrize(
    ("option", "state", "requeues"), [("requeue", "active", 1), ("terminate", "completed", 0)]
)
async def test_what_was_ordered_to_stop_stops_as_ordered_though_the_service_is_killed(
    tmp_path: Path, option: str, state: str, requeues: int
) -> None:
    async with kept(tmp_path / "state") as service:
        await service.client.post("/pools", pool_body(targetDedicatedNodes=1))
        await service.client.post("/jobs", job_body())
        await service.client.post("/jobs/j/tasks", {"id": "t", "commandLine": "sleep 600"})
        await service.client.task_in("running")
        await service.client.post("/jobs/j/disable", {"disableTasks": option})
        await service.end()
    async with kept(tmp_path / "state") as service:
        await service.client.job_in("disabled")
        task = await service.client.get("/jobs/j/tasks/t")
        assert task["state"] == state
        assert task["executionInfo"]["requeueCount"] == requeues
