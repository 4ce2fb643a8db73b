"""Whatever returned is there after kill -9, and the file is sound."""

from __future__ import annotations

import asyncio
import random
import signal
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import anyio
import pytest

from orchestrator.events import TaskStarted
from tests.unit.journal.runs import opened
from tests.unit.owner import LIMIT

# Tells on its standard output what has returned; each of five writers at once does all kinds of writes.
_PROGRAM = """
import asyncio, sys
from pathlib import Path
from orchestrator.events import TaskStarted
from orchestrator.journal import Journal
from orchestrator.results import TaskResult
from orchestrator.states import TaskKey, TaskState

def event(run, number):
    return TaskStarted(run_id=run, key=TaskKey("j", f"t{number}"), previous=None, state=TaskState.RUNNING,
                       sequence=number)

async def write(journal, run):
    await journal.begin_run(run, job_id="j", pool_id="p", account="a", plan=b"{}")
    for number in range(1, 100_000):
        await journal.owe(run, "container", f"c{number}")
        await journal.intend(run, [f"t{number}-{part}" for part in range(3)])
        await journal.record([event(run, 2 * number - 1), event(run, 2 * number)], durable=number % 2 == 0)
        await journal.keep_result(run, number, TaskResult(key=TaskKey("j", f"t{number}")))
        await journal.move_cursor(run, "h", number)
        if number % 3 == 0:
            await journal.settle(run, "container", f"c{number}")
        print(run, number, flush=True)

async def main():
    journal = await Journal.open(Path(sys.argv[1]))
    await asyncio.gather(*(write(journal, f"r{number}-{sys.argv[2]}") for number in range(5)))

asyncio.run(main())
"""


async def write_and_be_killed(path: Path, seed: int, lines: int) -> dict[str, int]:
    """The last number that returned, by run."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _PROGRAM, str(path), str(seed), stdout=asyncio.subprocess.PIPE
    )
    told: dict[str, int] = {}
    try:
        assert process.stdout is not None
        for _ in range(lines):
            run, number = (await process.stdout.readline()).split()
            told[run.decode()] = int(number)
    finally:
        process.send_signal(signal.SIGKILL)
        rest, _ = await process.communicate()
    # What it had said before it died has returned, too; a line that is cut off has no end.
    for line in rest.splitlines(keepends=True):
        if line.endswith(b"\n"):
            run, number = line.split()
            told[run.decode()] = int(number)
    return told


@pytest.mark.parametrize("seed", range(5))
async def test_nothing_that_returned_is_lost_to_a_kill_and_the_file_is_sound(path: Path, seed: int) -> None:
    chance = random.Random(seed)
    told: dict[str, int] = {}
    with anyio.fail_after(LIMIT * 6):
        for life in range(2):
            told |= await write_and_be_killed(path, 10 * seed + life, chance.randrange(1, 400))
    async with opened(path) as journal:
        for run, last in told.items():
            found = await journal.events(run, limit=10**6)
            assert [event.sequence for event in found] == list(range(1, len(found) + 1))
            assert len(found) in {2 * last, 2 * last + 2}
            assert all(isinstance(event, TaskStarted) for event in found)
            assert len(await journal.intended(run)) in {last, last + 1}
            assert [number for number, _ in await journal.results(run, limit=10**6)][:last] == list(
                range(1, last + 1)
            )
            assert (await journal.cursors(run))["h"] in {last, last + 1}
            owed = {each.resource_id for each in await journal.owed(run)}
            assert owed >= {f"c{number}" for number in range(1, last + 1) if number % 3}
            assert not owed & {f"c{number}" for number in range(3, last + 1, 3)}
            assert await journal.plan(run) == b"{}"
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
