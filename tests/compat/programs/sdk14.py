"""250 tasks by azure-batch 14.2: pool, job, tasks, wait, read, delete; prints what it saw as JSON.

It runs in an environment of its own, never in the project's, whose azure-batch has other names: so the
type checker, which sees only the project's, is told nothing about this one.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

batch: Any = importlib.import_module("azure.batch")
models: Any = importlib.import_module("azure.batch.models")
credentials: Any = importlib.import_module("azure.batch.batch_auth")

TASKS = 250
PAGE = 100
LIMIT = 120.0
PAUSE = 0.2


def main(pool: str, job: str) -> None:
    """Do it all.

    Args:
        pool: id of the pool to make.
        job: id of the job to make.
    """
    client = batch.BatchServiceClient(
        credentials.SharedKeyCredentials(
            os.environ["AZURE_BATCH_ACCOUNT"], os.environ["AZURE_BATCH_ACCESS_KEY"]
        ),
        batch_url=os.environ["AZURE_BATCH_ENDPOINT"],
    )
    client.pool.add(
        models.PoolAddParameter(
            id=pool,
            vm_size="standard_d2s_v3",
            target_dedicated_nodes=2,
            task_slots_per_node=4,
            virtual_machine_configuration=models.VirtualMachineConfiguration(
                image_reference=models.ImageReference(
                    publisher="canonical", offer="ubuntu-24_04-lts", sku="server", version="latest"
                ),
                node_agent_sku_id="batch.node.ubuntu 24.04",
            ),
        )
    )
    made = client.pool.get(pool)
    client.job.add(models.JobAddParameter(id=job, pool_info=models.PoolInformation(pool_id=pool)))
    tasks = [
        models.TaskAddParameter(
            id=f"task-{number}", command_line=f"/bin/sh -c 'echo {number} is $AZ_BATCH_TASK_ID'"
        )
        for number in range(TASKS)
    ]
    added = client.task.add_collection(job, tasks).value
    options = models.TaskListOptions(max_results=PAGE)
    done = until(
        lambda: list(client.task.list(job, options)),
        lambda seen: all(task.state == models.TaskState.completed for task in seen),
    )
    read = {}
    for number in (0, 99, 100, TASKS - 1):
        pieces = client.file.get_from_task(job, f"task-{number}", "stdout.txt")
        read[f"task-{number}"] = b"".join(pieces).decode()
    node_states = {node.state.value for node in client.compute_node.list(pool)}
    client.job.delete(job)
    client.pool.delete(pool)
    until(lambda: client.pool.exists(pool), lambda exists: not exists)
    seen = {
        "client": version("azure-batch"),
        "slots": made.task_slots_per_node,
        "added": Counter(result.status.value for result in added),
        "listed": len({task.id for task in done}),
        "exit_codes": Counter(str(task.execution_info.exit_code) for task in done),
        "results": Counter(task.execution_info.result.value for task in done),
        "stdout": read,
        "nodes": sorted(node_states),
        "pools_left": [found.id for found in client.pool.list()],
    }
    json.dump(seen, sys.stdout)


def until(look: Callable[[], Any], wanted: Callable[[Any], bool]) -> Any:
    """Look again and again, with a limit: the service has no event to wait for.

    Args:
        look: gives what is to be judged.
        wanted: tells whether it is so.

    Returns:
        What was seen when it was so.

    Raises:
        TimeoutError: when it never was.
    """
    deadline = time.monotonic() + LIMIT
    while not wanted(seen := look()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {LIMIT:g} s; the last seen was {str(seen)[:500]}")
        time.sleep(PAUSE)
    return seen


if __name__ == "__main__":
    main(*sys.argv[1:])
