"""Row `detection`: from the end of a task on the service to its files on this disk."""

from __future__ import annotations

import random
import statistics
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from orchestrator import CleanupSpec, CleanupWhen, ImageSpec, JobSpec, Orchestrator, PoolSpec
from orchestrator.limits import Limits
from orchestrator.spec import TaskSpec
from tests.bench.end_to_end import service
from tests.bench.row import Row

TASKS = 80
SLOTS = 4
MOST = 0.2
"""Seconds that may pass beyond the poll interval."""


async def delays(env_file: Path, folder: Path) -> list[float]:
    """Seconds between the end of each task, by the service's clock, and its result."""
    chosen = random.Random(1)
    spec = JobSpec(
        id="detection-{run}",
        base_dir=str(folder),
        download_dir=str(folder / "results"),
        pool=PoolSpec(
            id="detection-{run}",
            vm_size="standard_d2s_v3",
            image=ImageSpec(publisher="canonical", offer="ubuntu-24_04-lts", sku="server"),
            target_dedicated_nodes=1,
            task_slots_per_node=SLOTS,
        ),
        tasks=tuple(
            TaskSpec(
                id=f"t-{number}",
                command_line=f"sleep {chosen.uniform(0.2, 3):.3f}; echo done > out.txt",
                output_files=("out.txt",),
            )
            for number in range(TASKS)
        ),
        cleanup=CleanupSpec(job=CleanupWhen.ALWAYS, pool=CleanupWhen.ALWAYS),
    )
    late: list[float] = []
    async with Orchestrator.local(env_file=env_file, journal_dir=folder / "journal") as orchestrator:
        run = await orchestrator.submit(spec)
        async for result in run.results():
            result.raise_for_failure()
            if result.ended_at is None or len(result.outputs) < 1:
                raise AssertionError(f"not what was asked for: {result}")
            late.append((datetime.now(UTC) - result.ended_at).total_seconds())
    return late


async def measure(rounds: int) -> list[Row]:
    """All rows of this file; once, whatever `rounds` says: its spread is what is looked for."""
    del rounds
    interval = Limits().poll_interval
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        async with service(folder) as (env_file, _):
            late = sorted(await delays(env_file, folder))
    p95 = late[int(len(late) * 0.95)]
    return [
        Row(
            what=f"detection: {TASKS} tasks of 0.2 to 3 s, p95 from their end to their files here",
            unit="s",
            ours=p95,
            limit=interval,
            target=f"< {interval:g} s, the longest pause between two looks, + {MOST:g} s",
            reached=p95 < interval + MOST,
            note=f"median {statistics.median(late):.2f} s, longest {late[-1]:.2f} s",
        )
    ]
