"""Rows `end to end`: 500 top-N-words files, and what that takes beyond the same 500 bare commands.

On Azure the nodes are other machines than the service, its storage and the program that drives the job. Here
all share the same cores. With a slot for each core but one the commands have theirs, nearly, and the rest has
its own; with more slots than cores whatever anybody does is taken from the commands, and the row tells what
all the work costs together.

The limit is plain aiohttp that does the same (`plain.py`). Below that is the service alone, which is in the
note: what its node adds to a command, and no way of driving a job can be without. So is how many times less
than the tutorial's way a driver would be that takes no time and none of the cores.

What on Azure are other machines' disks, the nodes' and the storage's, is kept in memory where there is such
a place; the inputs, the journal and the results are on this machine's disk.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import random
import shutil
import signal
import statistics
import sys
import tempfile
import time
import zipapp
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from orchestrator import CleanupSpec, CleanupWhen, ImageSpec, JobSpec, Orchestrator, PoolSpec, TaskFactory
from tests.acceptance.program import Running
from tests.bench import plain, sequential
from tests.bench.row import Row

FILES = 500
BESIDE = max(1, (os.cpu_count() or 1) - 1)
"""Slots that leave a core to everything else."""
CROWDED = 4
TIMES = 4.0
_MEMORY = Path("/dev/shm")
NODES = _MEMORY if _MEMORY.is_dir() and shutil.disk_usage(_MEMORY).free > 1 << 30 else None
"""Where a folder for the nodes and the storage is made."""
_WORDS = 2_000
_OUTPUT = "*_OUTPUT.txt"


class Work:
    """The files, and the one command for each: the same program and interpreter, whoever starts it."""

    def __init__(self, folder: Path, nodes: Path) -> None:
        self.nodes = nodes
        self.inputs = folder / "inputs"
        self.inputs.mkdir()
        chosen = random.Random(1)
        vocabulary = [f"word{number}" for number in range(300)]
        self.files = [self.inputs / f"{number:03}.txt" for number in range(FILES)]
        for file in self.files:
            file.write_text(" ".join(chosen.choices(vocabulary, range(1, 301), k=_WORDS)))
        package = folder / "package"
        shutil.copytree("node_task", package / "node_task", ignore=shutil.ignore_patterns("__pycache__"))
        program = nodes / "node_task.pyz"
        zipapp.create_archive(package, program, main="node_task.__main__:main")
        # Without site: what a development environment puts into the start of each Python is nobody's work.
        self.command = f"{sys.executable} -IS {program} topwords {{file}} --numwords 3"

    async def bare(self, name: str, slots: int) -> float:
        """The commands and nothing else, as many at a time as the node has slots; gives seconds."""
        folder = self.nodes / name
        shutil.copytree(self.inputs, folder)
        waiting = iter(self.files)
        began = time.monotonic()

        async def work() -> None:
            for file in waiting:
                process = await asyncio.create_subprocess_exec(
                    "/bin/sh",
                    "-c",
                    self.command.replace("{file}", f"./{file.name}"),
                    cwd=folder,
                    stdout=asyncio.subprocess.DEVNULL,
                )
                assert await process.wait() == 0

        await asyncio.gather(*(work() for _ in range(slots)))
        return time.monotonic() - began

    async def ours(self, env_file: Path, results: Path, journal: Path, slots: int) -> float:
        """Our way; gives seconds until the last result was on this disk."""
        spec = JobSpec(
            id="ours-{run}",
            base_dir=str(self.inputs),
            download_dir=str(results),
            pool=PoolSpec(
                id="ours-{run}",
                vm_size="standard_d2s_v3",
                image=ImageSpec(publisher="canonical", offer="ubuntu-24_04-lts", sku="server"),
                target_dedicated_nodes=1,
                task_slots_per_node=slots,
            ),
            task_factory=TaskFactory(
                per_file="*.txt", command_line=self.command, output_files=(_OUTPUT,), id="t-{index}"
            ),
            cleanup=CleanupSpec(job=CleanupWhen.ALWAYS, pool=CleanupWhen.ALWAYS),
        )
        began, last = time.monotonic(), 0.0
        async with Orchestrator.local(env_file=env_file, journal_dir=journal) as orchestrator:
            run = await orchestrator.submit(spec)
            async for result in run.results():
                result.raise_for_failure()
                last = time.monotonic() - began
            ended = await run.wait()
        if ended.succeeded != FILES or ended.leftovers:
            raise AssertionError(f"not what was asked for: {ended}")
        return last

    async def peer(self, settings: dict[str, str], results: Path, slots: int) -> float:
        """The tutorial's way; gives the same."""
        command = self.command.replace("{file}", "./{file}")
        _, last = await asyncio.to_thread(
            sequential.run,
            settings,
            self.files,
            results,
            name=results.name,
            slots=slots,
            command=command,
            output=_OUTPUT,
        )
        return last

    async def plain(self, settings: dict[str, str], results: Path, slots: int) -> float:
        """The least that could do it; gives the same."""
        return await plain.run(
            settings,
            self.files,
            results,
            name=results.name,
            slots=slots,
            command=self.command.replace("{file}", "./{file}"),
            output=_OUTPUT,
        )

    async def service_alone(self, settings: dict[str, str], name: str, slots: int) -> float:
        """Neither way: the tasks and their files, and nobody who drives; gives the service's seconds."""
        return await asyncio.to_thread(
            sequential.service_alone,
            settings,
            self.files,
            name=name,
            slots=slots,
            command=self.command.replace("{file}", "./{file}"),
            output=_OUTPUT,
        )


def found(folder: Path) -> dict[str, str]:
    """What each file's words are, without where the task ran."""
    tables = {path.name: path.read_text().split("-" * 30)[1] for path in folder.rglob(_OUTPUT)}
    if len(tables) != FILES:
        raise AssertionError(f"{len(tables)} of {FILES} results in {folder.name}")
    return tables


@asynccontextmanager
async def service(folder: Path) -> AsyncIterator[tuple[Path, dict[str, str]]]:
    """A service of its own process: its settings, as a file and as a mapping."""
    env_file = folder / "settings.env"
    with Running("local", "--state-dir", folder / "state", "--env-file", env_file, home=folder) as running:
        if await asyncio.to_thread(running.line) != "ready":
            raise AssertionError(f"no service: {running.end()}")
        yield env_file, dict(line.split("=", 1) for line in env_file.read_text().splitlines())
        running.signal(signal.SIGTERM)
        await asyncio.to_thread(running.end)


async def measure(rounds: int) -> list[Row]:
    """All rows of this file."""
    with (
        tempfile.TemporaryDirectory() as name,
        tempfile.TemporaryDirectory(dir=NODES) as elsewhere,
    ):
        folder, nodes = Path(name), Path(elsewhere)
        work = Work(folder, nodes)
        async with service(nodes) as (env_file, settings):
            rows = []
            for slots in (BESIDE, CROWDED):
                place = folder / f"slots-{slots}"
                place.mkdir()
                rows.append(await _beyond(work, place, env_file, settings, slots=slots, rounds=rounds))
    return rows


async def _beyond(
    work: Work, folder: Path, env_file: Path, settings: dict[str, str], *, slots: int, rounds: int
) -> Row:
    """One row: each way stands beside the runs of the bare commands before and after it.

    The pace of a shared machine changes by more than what is measured.
    """
    first = f"bare-{slots}-0"
    bare = [await work.bare(first, slots)]
    ways = ("ours", "peer", "plain", "service alone")
    whole: dict[str, list[float]] = {way: [] for way in ways}
    beyond: dict[str, list[float]] = {way: [] for way in ways}
    expected = found(work.nodes / first)
    for turn, way in itertools.product(range(rounds), ways):
        results = folder / f"{way}-{slots}-{turn}"
        if way == "ours":
            taken = await work.ours(env_file, results, folder / f"journal-{turn}", slots)
        elif way == "peer":
            taken = await work.peer(settings, results, slots)
        elif way == "plain":
            taken = await work.plain(settings, results, slots)
        else:
            taken = await work.service_alone(settings, f"alone-{slots}-{turn}", slots)
        bare.append(await work.bare(f"bare-{slots}-{len(bare)}", slots))
        whole[way].append(taken)
        beyond[way].append(taken - statistics.mean(bare[-2:]))
        if way != "service alone" and found(results) != expected:
            raise AssertionError("the results are not the same")
    ours, peer, limit, alone = (statistics.median(beyond[way]) for way in ways)
    cores = os.cpu_count() or 1
    return Row(
        what=f"{FILES} top-N-words files, {slots} at a time on {cores} cores, beyond the bare commands",
        unit="s",
        ours=ours,
        peer=peer,
        limit=limit,
        target=f"{TIMES:g} x less than the tutorial's way; the same results",
        # Neighbours on the machine that come and go can make the bare commands the slowest of all.
        reached=peer >= TIMES * ours if ours > 0 else None,
        note=f"whole: bare {statistics.median(bare):.1f} s, ours {statistics.median(whole['ours']):.1f} s, "
        f"the tutorial's way {statistics.median(whole['peer']):.1f} s, plain aiohttp "
        f"{statistics.median(whole['plain']):.1f} s; beyond the bare commands the service alone takes "
        f"{alone:.1f} s: nobody drives, the inputs are there, the outputs stay" + _at_best(peer, alone),
    )


def _at_best(peer: float, alone: float) -> str:
    if alone <= 0:  # as above
        return ""
    return (
        f". A driver that takes no time at all would be at {peer / alone:.2g} x less than the tutorial's way"
    )
