"""A disk or a file that fails is told to everybody whose write it concerns."""

from __future__ import annotations

import asyncio
import sqlite3
import sys
import threading
from contextlib import closing
from pathlib import Path

import anyio
import anyio.to_thread
import pytest

from orchestrator.errors import JournalError
from orchestrator.journal import Journal
from orchestrator.limits import Limits
from tests.unit.journal.runs import begin, events, opened
from tests.unit.owner import LIMIT


async def limit_pages(journal: Journal, pages: int) -> None:
    """SQLite's own limit gives the very error that a full disk gives."""
    await journal._write(lambda connection: connection.execute(f"PRAGMA max_page_count = {pages}").fetchall())


async def test_a_full_disk_fails_whatever_was_queued_and_what_was_written_stays(path: Path) -> None:
    async with opened(path, "r") as journal:
        await journal.record(events(2))
        await limit_pages(journal, 1)
        writes = [journal.record(events(1000, after=2 + 1000 * step)) for step in range(30)]
        writes.append(journal.owe("r", "pool", "x" * 100_000))
        answers = await asyncio.gather(*writes, return_exceptions=True)
        assert {type(answer) for answer in answers} == {JournalError}
        assert {"free some space" in str(answer) for answer in answers} == {True}
        assert len({id(answer) for answer in answers}) == len(answers)
        await limit_pages(journal, 1_000_000)
        assert len(await journal.events("r")) == 2
        await journal.record(events(1, after=2))
        assert len(await journal.events("r")) == 3


async def test_what_was_queued_behind_a_write_that_fails_fails_too_and_later_ones_do_not(path: Path) -> None:
    failing, queued = threading.Event(), threading.Event()

    def fail(_: sqlite3.Connection) -> None:
        failing.set()
        assert queued.wait(LIMIT)
        raise sqlite3.OperationalError("disk I/O error")

    async with opened(path, "r") as journal:
        first = asyncio.ensure_future(journal._write(fail))
        with anyio.fail_after(LIMIT):
            await anyio.to_thread.run_sync(failing.wait)
            behind = [asyncio.ensure_future(journal.record(events(1, after=step))) for step in range(3)]
            await asyncio.sleep(0)
            queued.set()
            answers = await asyncio.gather(first, *behind, return_exceptions=True)
            assert [type(answer) for answer in answers] == [JournalError] * 4
            await journal.record(events(1))
        assert len(await journal.events("r")) == 1


_FULL = """
import asyncio, resource, sys
from pathlib import Path
from orchestrator.errors import JournalError
from orchestrator.journal import Journal

async def main():
    journal = await Journal.open(Path(sys.argv[1]))
    await journal.begin_run("r", job_id="j", pool_id="p", account="a")
    await journal.owe("r", "pool", "first")
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, resource.RLIM_INFINITY))
    returned = 0
    try:
        while True:
            await journal.owe("r", "container", f"{returned:05}" + "x" * 10_000)
            returned += 1
    except JournalError as error:
        print(returned, error, flush=True)
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    await journal.owe("r", "container", "after")
    await journal.close()

asyncio.run(main())
"""


async def test_a_file_that_may_not_grow_any_more_is_told_and_taken_up_again_when_it_may(path: Path) -> None:
    with anyio.fail_after(LIMIT * 3):
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", _FULL, str(path), stdout=asyncio.subprocess.PIPE
        )
        told, _ = await process.communicate()
    returned, _, error = told.decode().partition(" ")
    assert "see that it is sound and has space" in error or "free some space" in error
    assert process.returncode == 0
    async with opened(path) as journal:
        owed = [each.resource_id for each in await journal.owed("r")]
    assert int(returned) > 0
    assert [name[:5] for name in owed] == [
        "first",
        *(f"{number:05}" for number in range(int(returned))),
        "after",
    ]


async def test_a_journal_that_is_kept_locked_is_told_after_its_limit_and_works_again_later(
    path: Path,
) -> None:
    async with opened(path, "r", limits=Limits(journal_timeout=0.05)) as journal:
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            with pytest.raises(JournalError, match="another program keeps it locked"):
                await journal.record(events(1))
            # Reading goes on.
            assert await journal.events("r") == ()
            connection.execute("ROLLBACK")
        await journal.record(events(1))
        assert len(await journal.events("r")) == 1


async def test_a_write_to_a_table_that_is_gone_fails_and_closing_still_works(path: Path) -> None:
    journal = await Journal.open(path)
    await begin(journal, "r")
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("DROP TABLE events")
    with pytest.raises(JournalError, match="no such table"):
        await journal.record(events(1))
    with pytest.raises(JournalError, match="no such table"):
        await journal.events("r")
    await journal.owe("r", "pool", "p")
    await journal.close()
