"""250 tasks by azure-batch 15, asynchronous: pool, job, tasks, wait, read, delete; prints what it saw.

Nothing of the project's is used: this is a program of somebody else's.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections import Counter
from collections.abc import Awaitable, Callable
from importlib.metadata import version
from typing import TypeVar

from azure.batch import models
from azure.batch.aio import BatchClient
from azure.core.credentials import AzureNamedKeyCredential

T = TypeVar("T")

TASKS = 250
PAGE = 100
LIMIT = 120.0
PAUSE = 0.2


async def main(pool: str, job: str) -> None:
    """Do it all.

    Args:
        pool: id of the pool to make.
        job: id of the job to make.
    """
    key = AzureNamedKeyCredential(os.environ["AZURE_BATCH_ACCOUNT"], os.environ["AZURE_BATCH_ACCESS_KEY"])
    async with BatchClient(os.environ["AZURE_BATCH_ENDPOINT"], key) as client:
        await client.create_pool(
            models.BatchPoolCreateOptions(
                id=pool,
                vm_size="standard_d2s_v3",
                target_dedicated_nodes=2,
                task_slots_per_node=4,
                virtual_machine_configuration=models.VirtualMachineConfiguration(
                    image_reference=models.BatchVmImageReference(
                        publisher="canonical", offer="ubuntu-24_04-lts", sku="server", version="latest"
                    ),
                    node_agent_sku_id="batch.node.ubuntu 24.04",
                ),
            )
        )
        made = await client.get_pool(pool)
        await client.create_job(
            models.BatchJobCreateOptions(id=job, pool_info=models.BatchPoolInfo(pool_id=pool))
        )
        tasks = [
            models.BatchTaskCreateOptions(
                id=f"task-{number}", command_line=f"/bin/sh -c 'echo {number} is $AZ_BATCH_TASK_ID'"
            )
            for number in range(TASKS)
        ]
        added = (await client.create_tasks(job, tasks, max_concurrency=4)).result_values or []

        async def listed() -> list[models.BatchTask]:
            return [task async for task in client.list_tasks(job, max_results=PAGE)]

        done = await until(
            listed, lambda seen: all(task.state == models.BatchTaskState.COMPLETED for task in seen)
        )
        ran = [task.execution_info for task in done if task.execution_info is not None]
        read = {}
        for number in (0, 99, 100, TASKS - 1):
            pieces = await client.download_task_file(job, f"task-{number}", "stdout.txt")
            read[f"task-{number}"] = b"".join([piece async for piece in pieces]).decode()
        node_states = {node["state"] async for node in client.list_nodes(pool)}
        deleted_job = await client.begin_delete_job(job, polling_interval=1)
        deleted_pool = await client.begin_delete_pool(pool, polling_interval=1)
        await deleted_job.result()
        await deleted_pool.result()
        seen = {
            "client": version("azure-batch"),
            "slots": made.task_slots_per_node,
            "added": Counter(result["status"].lower() for result in added),
            "listed": len({task.id for task in done}),
            "exit_codes": Counter(str(info.exit_code) for info in ran),
            "results": Counter(info["result"].lower() for info in ran),
            "stdout": read,
            "nodes": sorted(node_states),
            "pools_left": [found.id async for found in client.list_pools()],
        }
    json.dump(seen, sys.stdout)


async def until(look: Callable[[], Awaitable[T]], wanted: Callable[[T], bool]) -> T:
    """Look again and again, with a limit: the service has no event to wait for.

    Args:
        look: gives what is to be judged.
        wanted: tells whether it is so.

    Returns:
        What was seen when it was so.

    Raises:
        TimeoutError: when it never was.
    """
    async with asyncio.timeout(LIMIT):
        while not wanted(seen := await look()):  # noqa: ASYNC110  # no event comes from a service
            await asyncio.sleep(PAUSE)
        return seen


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
