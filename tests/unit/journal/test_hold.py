"""One program at a time drives a run, and its death frees it."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

import anyio
import pytest

from orchestrator.errors import RunHeldError
from orchestrator.journal import Journal
from tests.unit.journal.runs import opened
from tests.unit.owner import LIMIT

_HOLD = """
import asyncio, os, signal, subprocess, sys
from pathlib import Path
from orchestrator.journal import Journal

async def main():
    journal = await Journal.open(Path(sys.argv[1]))
    hold = await journal.hold("r")
    # Neither a program that it starts nor a fork may go on holding the run.
    child = subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE,
                             stdout=subprocess.DEVNULL, close_fds=False)
    fork = os.fork()
    if fork == 0:
        os.close(1)
        signal.pause()
    print(os.getpid(), child.pid, fork, flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


async def test_a_second_part_of_the_same_program_is_told_who_holds_the_run(path: Path) -> None:
    async with opened(path) as first, opened(path) as second:
        hold = await first.hold("r")
        other = await second.hold("other")
        with pytest.raises(RunHeldError, match=f"run r is held by process {os.getpid()} on ") as caught:
            await second.hold("r")
        assert caught.value.run_id == "r"
        assert caught.value.holder == str(hold.holder)
        hold.release()
        hold.release()
        (await second.hold("r")).release()
        other.release()


async def test_a_killed_program_holds_nothing_any_more_even_if_its_children_live(path: Path) -> None:
    async with opened(path) as journal:
        with anyio.fail_after(LIMIT * 3):
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-c",
                _HOLD,
                str(path),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
            )
            try:
                assert process.stdout is not None
                pid, child, fork = map(int, (await process.stdout.readline()).split())
                with pytest.raises(RunHeldError, match=f"process {pid} on"):
                    await journal.hold("r")
            finally:
                process.send_signal(signal.SIGKILL)
                await process.wait()
            try:
                os.kill(fork, 0)
                os.kill(child, 0)
                (await journal.hold("r")).release()
            finally:
                os.kill(fork, signal.SIGKILL)
                os.kill(child, signal.SIGKILL)
                await process.communicate()


async def test_locks_are_the_owners_only_and_a_run_id_is_no_path(path: Path) -> None:
    previous = os.umask(0)
    try:
        async with opened(path) as journal:
            holds = [await journal.hold(name) for name in ("r", "../../r", "..", "ä/b")]
    finally:
        os.umask(previous)
    folder = path.with_name("journal.sqlite.locks")
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {file.stat().st_mode & 0o777 for file in folder.iterdir()} == {0o600}
    assert len(list(folder.iterdir())) == len(holds)
    for hold in holds:
        hold.release()


async def test_of_many_at_once_one_holds_the_run(path: Path) -> None:
    journals = await asyncio.gather(*(Journal.open(path) for _ in range(8)))
    answers = await asyncio.gather(*(journal.hold("r") for journal in journals), return_exceptions=True)
    assert sum(isinstance(answer, RunHeldError) for answer in answers) == 7
    await asyncio.gather(*(journal.close() for journal in journals))


async def test_taking_a_run_that_is_cancelled_leaves_it_free(path: Path) -> None:
    async with opened(path) as journal:
        for _ in range(5):
            taking = asyncio.ensure_future(journal.hold("r"))
            await asyncio.sleep(0)
            taking.cancel()
            with pytest.raises(asyncio.CancelledError):
                await taking
        assert await journal.run("r") is None  # behind what the thread still had to do
        (await journal.hold("r")).release()
