"""Pools that are there already: reused, refused, and kept in order for nodes that come later."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import anyio
import pytest
from azure.batch import models
from azure.batch.aio import BatchClient

from orchestrator import CleanupFailed, JobSpec, Orchestrator, PoolCreated, PoolReused, RunOutcome
from tests.flow.test_main_job import batch_client

Make = Callable[..., JobSpec]
KEPT = {"containers": "always", "job": "always", "pool": "never"}
RUN_TOOL = {
    "id": "t",
    "command_line": "sh {application}/tool.sh > out.txt",
    "output_files": ["out.txt"],
}


def pool(pool_id: str, **changes: Any) -> dict[str, Any]:
    return {
        "id": pool_id,
        "vm_size": "standard_d2s_v3",
        "image": {"publisher": "canonical", "offer": "ubuntu-24_04-lts", "sku": "server"},
        "target_dedicated_nodes": 1,
        **changes,
    }


@pytest.fixture
async def client(service: Path) -> AsyncIterator[BatchClient]:
    async with batch_client(service) as opened:
        yield opened


async def run_tool(orchestrator: Orchestrator, spec: JobSpec) -> str:
    run = await orchestrator.submit(spec)
    results = [result async for result in run.results()]
    told = await run.wait()
    assert told.outcome is RunOutcome.SUCCEEDED, told
    return {path.name: path for path in results[0].outputs}["out.txt"].read_text()


async def test_a_second_run_on_a_kept_pool_uses_its_own_changed_application(
    orchestrator: Orchestrator, job: Make, client: BatchClient, tmp_path: Path
) -> None:
    told: list[PoolCreated | PoolReused] = []
    orchestrator.on(PoolCreated, told.append)
    orchestrator.on(PoolReused, told.append)
    spec = job(pool=pool("kept"), application={"files": ["tool.sh"]}, tasks=[RUN_TOOL], cleanup=KEPT)
    async with orchestrator:
        (tmp_path / "tool.sh").write_text("echo first")
        assert await run_tool(orchestrator, spec) == "first\n"
        assert await run_tool(orchestrator, spec) == "first\n"
        (tmp_path / "tool.sh").write_text("echo second")
        assert await run_tool(orchestrator, spec) == "second\n"
    by = [event.application for event in told if isinstance(event, PoolReused)]
    assert isinstance(told[0], PoolCreated)
    assert by == ["start task", "preparation task"]
    await (await client.begin_delete_pool("kept", polling_interval=1)).result()


async def wait_for_nodes(client: BatchClient, pool_id: str, count: int) -> list[str]:
    """The ids of the pool's nodes once that many are idle."""
    with anyio.fail_after(60):
        while True:
            nodes = [node async for node in client.list_nodes(pool_id)]
            states = [str(node["state"]) for node in nodes]
            assert "starttaskfailed" not in states
            if states == ["idle"] * count:
                return [node.id or "" for node in nodes]
            await anyio.sleep(0.1)


async def test_nodes_that_join_or_reboot_after_the_run_was_cleaned_up_start_well(
    orchestrator: Orchestrator, job: Make, client: BatchClient, tmp_path: Path
) -> None:
    (tmp_path / "tool.sh").write_text("echo here")
    (tmp_path / "setup.txt").write_text("for the start task")
    start = {"commands": ["grep start setup.txt"], "resource_files": ["setup.txt"]}
    wanted = pool("outlives", start_task=start)
    spec = job(pool=wanted, application={"files": ["tool.sh"]}, tasks=[RUN_TOOL], cleanup=KEPT)
    async with orchestrator:
        assert await run_tool(orchestrator, spec) == "here\n"
        options = models.BatchPoolResizeOptions(target_dedicated_nodes=2)
        await (await client.begin_resize_pool("outlives", options, polling_interval=1)).result()
        first, *_ = await wait_for_nodes(client, "outlives", 2)
        # The SDK's own model of these options is not exported, and leaving them out fails before sending.
        requeue: Any = {"nodeRebootOption": "requeue"}
        rebooting = await client.begin_reboot_node("outlives", first, requeue, polling_interval=1)
        await rebooting.result()
        await wait_for_nodes(client, "outlives", 2)
        assert await run_tool(orchestrator, spec) == "here\n"
    await (await client.begin_delete_pool("outlives", polling_interval=1)).result()


async def test_a_pool_that_does_not_fit_is_refused_with_what_does_not_fit_and_left_alone(
    orchestrator: Orchestrator, job: Make, client: BatchClient
) -> None:
    task = [{"id": "t", "command_line": "true"}]
    async with orchestrator:
        run = await orchestrator.submit(job(pool=pool("small"), tasks=task, cleanup=KEPT))
        await run.wait()
        run = await orchestrator.submit(
            job(pool=pool("small", vm_size="standard_d4s_v3", task_slots_per_node=4), tasks=task)
        )
        told = await run.wait()
    assert told.outcome is RunOutcome.ERROR
    assert told.error is not None
    assert "its vm_size is standard_d2s_v3, not standard_d4s_v3" in told.error
    assert "its task_slots_per_node is 1, not 4" in told.error
    assert told.leftovers == ()
    assert (await client.get_pool("small")).state == "active"
    await (await client.begin_delete_pool("small", polling_interval=1)).result()


async def test_a_pool_that_somebody_elses_job_uses_is_left_behind_and_named(
    orchestrator: Orchestrator, job: Make, client: BatchClient
) -> None:
    told: list[CleanupFailed] = []
    orchestrator.on(CleanupFailed, told.append)
    spec = job(pool=pool("shared"), tasks=[{"id": "t", "command_line": "true"}])
    # Batch compares ids without case, and shows each as it was written.
    other = models.BatchJobCreateOptions(id="theirs", pool_info=models.BatchPoolInfo(pool_id="SHARED"))
    await client.create_job(other)
    async with orchestrator:
        result = await (await orchestrator.submit(spec)).wait()
    assert result.outcome is RunOutcome.SUCCEEDED
    assert result.leftovers == ("pool shared",)
    reason = "other jobs use it: theirs; delete it after them"
    assert [event.leftovers for event in told] == [(("pool", "shared", reason),)]
    assert (await client.get_pool("shared")).state == "active"
    await (await client.begin_delete_job("theirs", polling_interval=1)).result()
    await (await client.begin_delete_pool("shared", polling_interval=1)).result()


async def test_a_pool_that_has_to_exist_and_does_not_is_an_error(
    orchestrator: Orchestrator, job: Make
) -> None:
    async with orchestrator:
        run = await orchestrator.submit(
            job(pool={"id": "nowhere"}, tasks=[{"id": "t", "command_line": "true"}])
        )
        told = await run.wait()
    assert told.error is not None
    assert "pool nowhere: does not exist" in told.error
    assert told.leftovers == ()


async def test_a_windows_image_is_refused_by_name(orchestrator: Orchestrator, job: Make) -> None:
    image = {"publisher": "microsoftwindowsserver", "offer": "windowsserver", "sku": "2022"}
    async with orchestrator:
        run = await orchestrator.submit(
            job(pool=pool("win", image=image), tasks=[{"id": "t", "command_line": "true"}])
        )
        told = await run.wait()
    assert told.error is not None
    assert "Windows pools are not supported" in told.error


async def test_a_job_that_exists_is_refused_before_anything_is_staged(
    orchestrator: Orchestrator, job: Make, client: BatchClient
) -> None:
    spec = job(
        id="taken",
        pool=pool("for-taken"),
        tasks=[{"id": "t", "command_line": "true"}],
        cleanup={"job": "never", "pool": "never"},
    )
    async with orchestrator:
        await (await orchestrator.submit(spec)).wait()
        told = await (await orchestrator.submit(spec)).wait()
    assert told.error is not None
    assert "job taken exists" in told.error
    assert told.leftovers == ()
    await (await client.begin_delete_job("taken", polling_interval=1)).result()
    await (await client.begin_delete_pool("for-taken", polling_interval=1)).result()
