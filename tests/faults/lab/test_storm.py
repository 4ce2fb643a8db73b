"""Very many tasks over a network that breaks: none lost, none doubled, by the service's own count.

`make storm N=20000` runs the whole of it; a few thousand here.
"""

from __future__ import annotations

import os
import sys
from collections import Counter

import anyio
import msgspec
import pytest
from azure.batch.aio import BatchClient
from azure.core.credentials import AzureNamedKeyCredential

from orchestrator import RunOutcome, TaskCompleted, TasksSubmitted
from orchestrator.local.faults import FaultLab
from orchestrator.local.in_thread import LocalServiceThread
from tests.faults.lab.conftest import Make, Open

TASKS = int(os.environ.get("STORM_TASKS", "2000"))
LIMIT = 60 + TASKS / 50
STORM = (
    {"name": "reset", "fault": {"kind": "reset_connection"}, "on": ["*"], "probability": 0.1, "seed": 3},
    {"name": "dropped", "fault": {"kind": "drop_answer"}, "on": ["*"], "probability": 0.05, "seed": 5},
)


class Held(msgspec.Struct, frozen=True):
    """What the service holds of a job.

    Args:
        states: of its tasks, by id: as often as the listing gives the id.
        counts: completed and succeeded ones, as the service itself counts them.
        begun_anew: how often tasks did, for a retry or a lost node.
    """

    states: list[tuple[str, str]]
    counts: tuple[int, int]
    begun_anew: int


async def held(service: LocalServiceThread, job_id: str) -> Held:
    """Ask the service."""
    settings = service.settings
    key = AzureNamedKeyCredential(settings.account_name, settings.batch_key)
    async with BatchClient(settings.batch_endpoint, key) as client:
        tasks = [task async for task in client.list_tasks(job_id)]
        counts = (await client.get_job_task_counts(job_id)).task_counts
    infos = [task.execution_info for task in tasks]
    return Held(
        states=[(str(task.id), str(task.state).lower().removeprefix("batchtaskstate.")) for task in tasks],
        counts=(counts.completed, counts.succeeded),
        begun_anew=sum((info.retry_count or 0) + (info.requeue_count or 0) for info in infos if info),
    )


@pytest.mark.timeout(LIMIT + 60)
async def test_no_task_is_lost_or_doubled_while_connections_break_and_answers_get_lost(
    azure_batch_local: LocalServiceThread,
    open_orchestrator: Open,
    make_job: Make,
    lab: FaultLab,
) -> None:
    wanted = {f"t{number:05}" for number in range(TASKS)}
    spec = make_job(
        timeout=f"{LIMIT:.0f}s",
        pool={
            "target_dedicated_nodes": 8,
            "task_slots_per_node": 64,
            "rest": {"metadata": [{"name": "orchestrator:simulated", "value": "true"}]},
        },
        tasks=[
            {"id": task, "shell": False, "command_line": "simulate --seconds 0.1"} for task in sorted(wanted)
        ],
        cleanup={"containers": "always", "job": "never", "pool": "always"},
    )
    names = [lab.add(rule) for rule in STORM]
    added: Counter[str] = Counter()
    ended: Counter[str] = Counter()
    async with open_orchestrator(operation_timeout=60.0) as orchestrator:
        orchestrator.on(TasksSubmitted, lambda event: added.update(event.task_ids))
        orchestrator.on(TaskCompleted, lambda event: ended.update([event.key.task_id]))
        run = await orchestrator.submit(spec)
        with anyio.fail_after(LIMIT):
            result = await run.wait()
    fired = {name: lab.progress(name) for name in names}
    lab.clear()
    assert (result.outcome, result.error) == (RunOutcome.SUCCEEDED, None), fired
    assert added == ended == Counter(wanted), fired
    there = await held(azure_batch_local, run.job_id)
    assert sorted(there.states) == [(task, "completed") for task in sorted(wanted)], fired
    assert (there.counts, there.begun_anew) == ((TASKS, TASKS), 0), fired
    assert all(progress.fired for progress in fired.values()), fired
    sys.stdout.write(f"{TASKS} tasks: {fired}\n")
