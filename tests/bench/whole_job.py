"""Rows `whole job`: a small job, from its files to its results and back to nothing."""

from __future__ import annotations

import signal
import statistics
import tempfile
import time
from pathlib import Path

from orchestrator import CleanupSpec, CleanupWhen, ImageSpec, JobSpec, Orchestrator, PoolSpec, TaskFactory
from tests.acceptance.program import Running
from tests.bench import sequential
from tests.bench.row import Row

FILES = 30
SLOTS = 4
# The SDK waits for deletions by looking every few seconds: the last row says more of that than of the work.
MEASURED = ("first result on disk", "last result on disk", "clean-up over too")

Times = tuple[float, float, float]
"""Seconds from the start, in the order of `MEASURED`."""


async def ours(env_file: Path, folder: Path, results: Path) -> Times:
    """Our way."""
    spec = JobSpec(
        id="ours-{run}",
        base_dir=str(folder),
        download_dir=str(results),
        pool=PoolSpec(
            id="ours-{run}",
            vm_size="standard_d2s_v3",
            image=ImageSpec(publisher="canonical", offer="ubuntu-24_04-lts", sku="server"),
            target_dedicated_nodes=1,
            task_slots_per_node=SLOTS,
        ),
        task_factory=TaskFactory(
            per_file="*.txt", command_line="wc -w {file} > words.out", output_files=("words.out",)
        ),
        cleanup=CleanupSpec(job=CleanupWhen.ALWAYS, pool=CleanupWhen.ALWAYS),
    )
    began = time.monotonic()
    first = last = 0.0
    async with Orchestrator.local(env_file=env_file, journal_dir=results / "journal") as orchestrator:
        run = await orchestrator.submit(spec)
        async for result in run.results():
            result.raise_for_failure()
            last = time.monotonic() - began
            first = first or last
        ended = await run.wait()
    if ended.succeeded != FILES or ended.leftovers:
        raise AssertionError(f"not what was asked for: {ended}")
    return first, last, time.monotonic() - began


def peer(settings: dict[str, str], files: list[Path], results: Path, name: str) -> Times:
    """The tutorial's way."""
    began = time.monotonic()
    first, last = sequential.run(settings, files, results, name=name, slots=SLOTS)
    return first, last, time.monotonic() - began


async def measure(rounds: int) -> list[Row]:
    """All rows of this file."""
    with tempfile.TemporaryDirectory() as folder:
        taken = await in_turns(Path(folder), rounds)
    return [
        Row(
            what=f"{FILES} tasks, {what}",
            unit="s",
            ours=statistics.median(times[place] for times in taken["ours"]),
            peer=statistics.median(times[place] for times in taken["peer"]),
        )
        for place, what in enumerate(MEASURED)
    ]


async def in_turns(folder: Path, rounds: int) -> dict[str, list[Times]]:
    """Both ways in turns, on one service that runs for this alone."""
    inputs = folder / "inputs"
    inputs.mkdir()
    files = [inputs / f"{number:02}.txt" for number in range(FILES)]
    for number, file in enumerate(files):
        file.write_text("word " * 1000 * (number + 1))
    taken: dict[str, list[Times]] = {"ours": [], "peer": []}
    env_file = folder / "settings.env"
    # A process of its own: neither way shares its interpreter with the service.
    with Running("local", "--state-dir", folder / "state", "--env-file", env_file, home=folder) as service:
        if service.line() != "ready":
            raise AssertionError(f"no service: {service.end()}")
        settings = dict(line.split("=", 1) for line in env_file.read_text().splitlines())
        for turn in range(rounds):
            taken["ours"].append(await ours(env_file, inputs, folder / f"ours-{turn}"))
            taken["peer"].append(peer(settings, files, folder / f"peer-{turn}", f"peer-{turn}"))
            for way in ("ours", "peer"):
                arrived = len(list((folder / f"{way}-{turn}").rglob("words.out")))
                if arrived != FILES:
                    raise AssertionError(f"{way}: {arrived} of {FILES} results arrived")
        service.signal(signal.SIGTERM)
        service.end()
    return taken
