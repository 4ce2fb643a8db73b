"""One run under a seeded mixture of the lab's faults, and what must hold at its end."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import anyio

from orchestrator import JobSpec, Orchestrator, RunOutcome, TaskAbandoned, TaskCompleted
from orchestrator.local.faults import FaultLab
from tests.faults.lab.test_each_fault import FAULTS

LIMIT = 150.0


def mixture(seed: int) -> list[dict[str, Any]]:
    """Two to four faults, with chances of their own; that of the whole run follows from the seed."""
    rng = random.Random(seed)
    names = rng.sample(sorted(FAULTS), rng.randint(2, 4))
    return [{**FAULTS[name], "name": f"{name} {seed}", "seed": seed} for name in names]


def job(tasks: int, make: Any) -> JobSpec:
    """A job of so many tasks, whose outputs tell which task wrote them; one node of two may be preempted."""
    spec: JobSpec = make(
        timeout="120s",
        pool={
            "start_task": {"commands": ["true"]},
            "task_slots_per_node": 8,
            "target_low_priority_nodes": 1,
        },
        tasks=[
            {"id": f"t{number}", "command_line": f"echo {number} > out.txt", "output_files": ["out.txt"]}
            for number in range(tasks)
        ],
        retries={"storage": 3, "infrastructure": 3, "service": 3},
    )
    return spec


async def run_through(
    orchestrator: Orchestrator, lab: FaultLab, spec: JobSpec, results: Path, seed: int
) -> RunOutcome:
    """Run it under the seed's mixture; nothing may be lost, doubled or left, whatever the outcome."""
    for rule in mixture(seed):
        lab.add(rule)
    completed: list[str] = []
    abandoned: list[str] = []
    async with orchestrator:
        orchestrator.on(TaskCompleted, lambda event: completed.append(event.key.task_id))
        orchestrator.on(TaskAbandoned, lambda event: abandoned.append(event.key.task_id))
        run = await orchestrator.submit(spec)
        with anyio.fail_after(LIMIT):
            result = await run.wait()
    told = f"seed {seed}: {[rule['name'] for rule in mixture(seed)]}: {result.outcome} {result.error}"
    assert result.leftovers == (), told
    assert len(completed) == len(set(completed)), told
    assert not set(completed) & set(abandoned), told
    assert result.succeeded + result.failed + result.abandoned == result.tasks, told
    if result.outcome is not RunOutcome.SUCCEEDED:
        assert result.error or result.failed, told  # it is named
        return result.outcome
    folder = results / run.job_id
    for number, task in enumerate(spec.tasks):
        assert (folder / task.id / "out.txt").read_text() == f"{number}\n", told
    return result.outcome
