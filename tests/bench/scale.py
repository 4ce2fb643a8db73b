"""Rows `scale`: a million tasks through the orchestrator, against simulated nodes of the local service.

    python -m tests.bench.scale [--files] TASKS ENV_FILE FOLDER

does one run in a process of its own, and prints what it took as JSON.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import msgspec

from orchestrator import (
    CleanupSpec,
    CleanupWhen,
    Duration,
    ImageSpec,
    JobSpec,
    KeepLogs,
    Orchestrator,
    PoolSpec,
    TaskAbandoned,
    TaskCompleted,
    TaskFactory,
    TasksSubmitted,
)
from orchestrator.cli.logs import configure_logs
from orchestrator.cli.loop import run as run_on_loop
from orchestrator.spec.frozen import FrozenMapping
from tests.acceptance.program import Running
from tests.bench.row import Row

SIZES = (200_000, 1_000_000)
"""Of the runs; `BENCH_SCALE=20000,100000` measures others."""
WITH_FILES = (20_000, 100_000)
"""Of the runs whose tasks have a file each; `BENCH_SCALE_FILES=1000,2000` measures others.

Between smaller ones the allocator's holes, three MiB more or less, would be a quarter of the difference.
"""

PARTS = 10
NODES = 8
SLOTS = 8
MOST_BYTES_A_TASK = 400
MOST_MEMORY = 600 * (1 << 20)
FLAT = 0.8
_LIMIT = 3600.0
_SIMULATED = ({"name": "orchestrator:simulated", "value": "true"},)


class Taken(msgspec.Struct, frozen=True, kw_only=True):
    """What one run took.

    Args:
        tasks: how many it had.
        submitted: seconds from the first accepted task to each further tenth of them.
        completed: seconds from the same moment to the end of each tenth of them.
        seconds: of the whole run, clean-up included.
        cpu: seconds of the orchestrator's own.
        idle: its memory before the run, in bytes.
        most: the most memory that it held.
    """

    tasks: int
    submitted: list[float]
    completed: list[float]
    seconds: float
    cpu: float
    idle: int
    most: int


def memory(what: str) -> int:
    """A figure of this process, in bytes: `VmRSS` is what it holds, `VmHWM` the most that it ever held."""
    found = re.search(rf"{what}:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found is not None
    return int(found[1]) * 1024


class Tenths:
    """Notes the moment at which each further tenth of the tasks has been counted."""

    def __init__(self, tasks: int) -> None:
        self._step = max(tasks // PARTS, 1)
        self.count = 0
        self.moments: list[float] = []

    def add(self, count: int) -> None:
        """Count some more."""
        self.count += count
        while len(self.moments) < PARTS and self.count >= self._step * (len(self.moments) + 1):
            self.moments.append(time.monotonic())


def write_inputs(tasks: int, folder: Path) -> None:
    """A file a task, each of its own content."""
    folder.mkdir()
    for number in range(tasks):
        (folder / f"input-{number:07}.txt").write_text(f"{number}\n")


async def run(tasks: int, env_file: Path, folder: Path, *, files: bool) -> Taken:
    """One run; with a file for each task, which are in `inputs` already, or without."""
    spec = JobSpec(
        id="scale-{run}",
        base_dir=str(folder),
        download_dir=str(folder / "results"),
        timeout=Duration("3h"),
        pool=PoolSpec(
            id="scale-{run}",
            vm_size="standard_d2s_v3",
            image=ImageSpec(publisher="canonical", offer="ubuntu-24_04-lts", sku="server"),
            target_dedicated_nodes=NODES,
            task_slots_per_node=SLOTS,
            rest=FrozenMapping({"metadata": _SIMULATED}),
        ),
        task_factory=TaskFactory(
            per_file="inputs/*.txt" if files else None,
            count=None if files else tasks,
            id="task-{index:07}",
            command_line="simulate",
            shell=False,
            logs=KeepLogs.ON_FAILURE,
            environment=FrozenMapping({"SCENE": "a scene", "QUALITY": "high"}),
        ),
        cleanup=CleanupSpec(job=CleanupWhen.ALWAYS, pool=CleanupWhen.ALWAYS),
    )
    submitted, completed, abandoned = Tenths(tasks), Tenths(tasks), Tenths(tasks)
    async with Orchestrator.local(env_file=env_file, journal_dir=folder / "journal") as orchestrator:
        orchestrator.on(TasksSubmitted, lambda event: submitted.add(len(event.task_ids)))
        orchestrator.on(TaskCompleted, lambda _: completed.add(1))
        orchestrator.on(TaskAbandoned, lambda _: abandoned.add(1))
        idle, began, cpu = memory("VmRSS"), time.monotonic(), time.process_time()
        ended = await (await orchestrator.submit(spec)).wait()
    if (ended.succeeded, submitted.count, completed.count, abandoned.count) != (tasks, tasks, tasks, 0):
        raise AssertionError(f"not what was asked for: {ended}, {completed.count} ends were told")
    if ended.leftovers:
        raise AssertionError(f"left behind: {ended.leftovers}")
    first = submitted.moments[0]
    return Taken(
        tasks=tasks,
        submitted=[moment - first for moment in submitted.moments],
        completed=[moment - first for moment in completed.moments],
        seconds=time.monotonic() - began,
        cpu=time.process_time() - cpu,
        idle=idle,
        most=memory("VmHWM"),
    )


def in_a_process(tasks: int, env_file: Path, folder: Path, *, files: bool = False) -> Taken:
    """One run in a process of its own, so that its memory is its own."""
    folder.mkdir()
    if files:
        write_inputs(tasks, folder / "inputs")
    command = [sys.executable, "-m", "tests.bench.scale", str(tasks), str(env_file), str(folder)]
    command += ["--files"] if files else []
    ended = subprocess.run(command, stdout=subprocess.PIPE, timeout=_LIMIT, check=True)
    return msgspec.json.decode(ended.stdout, type=Taken)


def rates(moments: list[float], tasks: int) -> list[float]:
    """Tasks a second in each tenth after the first."""
    return [tasks / PARTS / (later - earlier) for earlier, later in itertools.pairwise(moments)]


def rows_of(taken: Taken) -> list[Row]:
    """Both rates and the memory of one run."""
    rows = []
    for what, moments in (("submitted", taken.submitted), ("watched to the end", taken.completed)):
        found = rates(moments, taken.tasks)
        told = ", ".join(f"{rate:,.0f}" for rate in found)
        rows.append(
            Row(
                what=f"{taken.tasks:,} tasks {what}, last tenth beside the first",
                unit="tasks/s",
                ours=found[-1],
                limit=found[0],
                target=">= 0.8 x the first",
                reached=found[-1] >= FLAT * found[0],
                note=f"by tenths, from the second on: {told}",
            )
        )
    rows.append(
        Row(
            what=f"{taken.tasks:,} tasks, memory of the orchestrator at most",
            unit="MiB",
            ours=taken.most / (1 << 20),
            target="< 600",
            reached=taken.most < MOST_MEMORY,
            note=f"{taken.seconds:.0f} s from start to clean-up, {taken.cpu / taken.tasks * 1e6:.0f} us "
            f"of CPU a task; {taken.idle >> 20} MiB before the run",
        )
    )
    return rows


def sizes(variable: str, usual: tuple[int, ...]) -> list[int]:
    """How many tasks the runs have."""
    named = os.environ.get(variable)
    return [int(size) for size in named.split(",")] if named else list(usual)


def memory_a_task(what: str, taken: list[Taken]) -> list[Row]:
    """What each further task takes, by the most memory that the smallest and the largest run held."""
    small, large = taken[0], taken[-1]
    if small.tasks >= large.tasks:
        return []
    each = (large.most - small.most) / (large.tasks - small.tasks)
    return [
        Row(
            what=f"memory a task{what}",
            unit="bytes",
            ours=each,
            target="<= 400",
            reached=each <= MOST_BYTES_A_TASK,
            note=f"the difference between {small.tasks:,} and {large.tasks:,} tasks, of the most RSS",
        )
    ]


async def measure(rounds: int) -> list[Row]:
    """All rows of this file; one round, whatever was asked for."""
    del rounds
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        env_file = folder / "settings.env"
        with Running(
            "local", "--state-dir", folder / "state", "--env-file", env_file, home=folder
        ) as service:
            if service.line() != "ready":
                raise AssertionError(f"no service: {service.end()}")
            with_files = [
                await asyncio.to_thread(in_a_process, size, env_file, folder / f"files-{size}", files=True)
                for size in sizes("BENCH_SCALE_FILES", WITH_FILES)
            ]
            taken = [
                await asyncio.to_thread(in_a_process, size, env_file, folder / str(size))
                for size in sizes("BENCH_SCALE", SIZES)
            ]
            service.signal(signal.SIGTERM)
            service.end()
    rows = [row for one in taken for row in rows_of(one)]
    return rows + memory_a_task("", taken) + memory_a_task(" with a file of its own", with_files)


def main() -> None:
    """One run, as its own program."""
    parser = argparse.ArgumentParser()
    parser.add_argument("tasks", type=int)
    parser.add_argument("env_file", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--files", action="store_true", help="each task has a file of its own, in inputs")
    arguments = parser.parse_args()
    configure_logs()
    taken = run_on_loop(run(arguments.tasks, arguments.env_file, arguments.folder, files=arguments.files))
    sys.stdout.buffer.write(msgspec.json.encode(taken))


if __name__ == "__main__":
    main()
