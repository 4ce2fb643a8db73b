"""What is written in the journal outlives the program."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import anyio
import pytest

from orchestrator.errors import JournalError
from orchestrator.journal import SCHEMA_VERSION, Journal
from orchestrator.limits import Limits
from tests.unit.owner import LIMIT


def write(path: Path, content: bytes) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)


def damage(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[:4096] + b"\xff" * (len(content) - 4096))


async def owed_in(path: Path, run_id: str | None = None) -> list[tuple[str, str, str]]:
    journal = await Journal.open(path)
    try:
        return [(owed.run_id, owed.kind, owed.resource_id) for owed in await journal.owed(run_id)]
    finally:
        await journal.close()


async def test_what_is_owed_is_listed_in_order_until_it_is_settled(path: Path) -> None:
    journal = await Journal.open(path)
    await journal.owe("r1", "container", "in")
    await journal.owe("r1", "pool", "p")
    await journal.owe("r1", "pool", "p")
    await journal.owe("r2", "pool", "p")
    await journal.settle("r1", "container", "in")
    await journal.settle("r1", "container", "never owed")
    await journal.close()
    assert await owed_in(path) == [("r1", "pool", "p"), ("r2", "pool", "p")]
    assert await owed_in(path, "r2") == [("r2", "pool", "p")]


async def test_a_run_is_written_down_from_its_beginning_to_its_end(path: Path) -> None:
    journal = await Journal.open(path)
    await journal.begin_run("r1", job_id="j", pool_id="p", account="local")
    await journal.begin_run("r2", job_id="j2", pool_id="p", account="local")
    await journal.finish_run("r1", outcome="succeeded")
    await journal.close()
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute("SELECT run_id, state, outcome, ended_at IS NULL FROM runs ORDER BY run_id")
        assert rows.fetchall() == [("r1", "finished", "succeeded", 0), ("r2", "running", None, 1)]


async def test_a_run_may_begin_again_under_its_id(path: Path) -> None:
    journal = await Journal.open(path)
    await journal.begin_run("r1", job_id="j", pool_id="p", account="local")
    await journal.finish_run("r1", outcome="error")
    await journal.begin_run("r1", job_id="j", pool_id="p", account="local")
    await journal.close()
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT state, outcome FROM runs").fetchall() == [("running", None)]


async def test_only_the_owner_can_read_the_journal(path: Path) -> None:
    previous = os.umask(0)
    try:
        journal = await Journal.open(path)
        await journal.owe("r", "pool", "p")
        modes = {file.name: file.stat().st_mode & 0o777 for file in path.parent.iterdir()}
        folder = path.parent.stat().st_mode & 0o777
        await journal.close()
    finally:
        os.umask(previous)
    assert set(modes.values()) == {0o600}
    assert folder == 0o700


async def test_what_was_owed_when_the_program_was_killed_is_still_owed(path: Path) -> None:
    program = """
import asyncio, sys
from pathlib import Path
from orchestrator.journal import Journal

async def main():
    journal = await Journal.open(Path(sys.argv[1]))
    await journal.owe("r", "container", "gone")
    await journal.owe("r", "pool", "p")
    await journal.settle("r", "container", "gone")
    print("created", flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""
    with anyio.fail_after(LIMIT * 3):
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", program, str(path), stdout=asyncio.subprocess.PIPE
        )
        try:
            assert process.stdout is not None
            assert await process.stdout.readline() == b"created\n"
        finally:
            process.send_signal(signal.SIGKILL)
            await process.communicate()
    assert await owed_in(path) == [("r", "pool", "p")]


async def test_two_programs_may_open_a_new_journal_at_the_same_time(path: Path) -> None:
    first, second = await asyncio.gather(Journal.open(path), Journal.open(path))
    writes = [journal.owe(f"r{index}", "pool", "p") for index in range(20) for journal in (first, second)]
    await asyncio.gather(*writes)
    await asyncio.gather(first.close(), second.close())
    assert len(await owed_in(path)) == 20


async def test_a_journal_of_a_newer_version_is_refused_by_name(path: Path) -> None:
    await (await Journal.open(path)).close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    with pytest.raises(JournalError, match="newer version") as caught:
        await Journal.open(path)
    assert caught.value.path == str(path)


async def test_another_programs_database_is_refused(path: Path) -> None:
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE theirs (a)")
    with pytest.raises(JournalError, match="no journal"):
        await Journal.open(path)


async def test_a_file_that_is_no_database_is_refused(path: Path) -> None:
    write(path, b"something else entirely, and long enough to be looked at" * 100)
    with pytest.raises(JournalError, match="not a journal"):
        await Journal.open(path)


async def test_a_damaged_journal_is_told_and_not_read_as_empty(path: Path) -> None:
    journal = await Journal.open(path)
    for index in range(200):
        await journal.owe("r", "container", f"container-{index}")
    await journal.close()
    damage(path)
    with pytest.raises(JournalError, match="damaged"):
        await owed_in(path)


async def test_a_full_disk_is_told_and_what_was_written_stays(path: Path) -> None:
    journal = await Journal.open(path)
    await journal.owe("r", "pool", "p")
    # SQLite's own limit gives the very error that a full disk gives.
    await journal._execute("PRAGMA max_page_count = 1", ())
    with pytest.raises(JournalError, match="free some space"):
        await journal.owe("r", "container", "x" * 100_000)
    await journal.close()
    assert (await owed_in(path))[0] == ("r", "pool", "p")


async def test_a_journal_that_another_program_keeps_is_told_after_its_limit(path: Path) -> None:
    await (await Journal.open(path)).close()
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        with pytest.raises(JournalError, match="another program keeps it locked"):
            await Journal.open(path, limits=Limits(journal_timeout=0.01))


async def test_a_folder_that_can_not_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(JournalError):
        await Journal.open(tmp_path / "file" / "journal.sqlite")


async def test_a_closed_journal_says_so(path: Path) -> None:
    journal = await Journal.open(path)
    await journal.close()
    await journal.close()
    with pytest.raises(JournalError, match="closed"):
        await journal.owe("r", "pool", "p")


async def test_opening_that_is_cancelled_leaves_nothing_open(path: Path) -> None:
    for steps in range(4):
        opening = asyncio.ensure_future(Journal.open(path))
        for _ in range(steps):
            await asyncio.sleep(0)
        opening.cancel()
        with pytest.raises(asyncio.CancelledError):
            await opening
    # Nobody holds a lock.
    assert await owed_in(path) == []
