"""Results on their way to a reader: each once, in order, in bounded memory where there is a journal."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import pytest

from orchestrator.errors import JournalError, RunCancelledError
from orchestrator.journal import Journal
from orchestrator.results import TaskResult
from orchestrator.runtime.result_stream import ResultStream
from orchestrator.states import TaskKey
from tests.unit.owner import LIMIT


@pytest.fixture
async def journal(tmp_path: Path) -> AsyncIterator[Journal]:
    journal = await Journal.open(tmp_path / "journal.sqlite")
    await journal.begin_run("r", job_id="j", pool_id="p", account="a")
    yield journal
    await journal.close()


def result(number: int) -> TaskResult:
    return TaskResult(key=TaskKey("j", f"t{number}"), outputs=(Path("/results") / str(number),))


def results(count: int) -> list[TaskResult]:
    return [result(number) for number in range(1, count + 1)]


async def test_a_reader_who_comes_late_gets_all_though_few_are_in_memory(journal: Journal) -> None:
    stream = ResultStream(journal, "r", bound=10)
    with anyio.fail_after(LIMIT):
        for each in results(3000):
            await stream.deliver(each)
        assert len(stream._waiting) == 10
        stream.end()
        read: list[TaskResult] = []
        async for each in stream.read():
            read.append(each)
            assert len(stream._waiting) <= 500
    assert read == results(3000)


async def test_while_nobody_reads_few_are_in_memory(journal: Journal) -> None:
    stream = ResultStream(journal, "r", bound=10_000)
    with anyio.fail_after(LIMIT):
        for each in results(300):
            await stream.deliver(each)
        assert len(stream._waiting) == 100
        stream.end()
        assert [each async for each in stream.read()] == results(300)


@pytest.mark.parametrize("bound", [1, 3, 50, 10_000])
async def test_a_reader_beside_the_deliveries_misses_nothing_and_gets_nothing_twice(
    journal: Journal, bound: int
) -> None:
    stream = ResultStream(journal, "r", bound=bound)
    read: list[TaskResult] = []

    async def reading() -> None:
        async for each in stream.read():
            read.append(each)
            if len(read) % 7 == 0:
                await anyio.lowlevel.checkpoint()

    with anyio.fail_after(LIMIT):
        async with anyio.create_task_group() as group:
            group.start_soon(reading)
            for number, each in enumerate(results(1000)):
                await stream.deliver(each)
                if number % 11 == 0:
                    await anyio.lowlevel.checkpoint()
                if number == 500:
                    await journal.owed()  # lets the reader catch up
            stream.end()
    assert read == results(1000)


async def test_several_readers_share_the_results(journal: Journal) -> None:
    stream = ResultStream(journal, "r", bound=2)
    for each in results(1200):
        await stream.deliver(each)
    stream.end()

    async def read() -> list[str]:
        return [each.key.task_id async for each in stream.read()]

    with anyio.fail_after(LIMIT):
        shares = await asyncio.gather(read(), read(), read())
    assert sorted(task_id for share in shares for task_id in share) == sorted(
        each.key.task_id for each in results(1200)
    )


async def test_a_reader_who_leaves_and_comes_again_goes_on_where_it_was(journal: Journal) -> None:
    stream = ResultStream(journal, "r", bound=2)
    for each in results(20):
        await stream.deliver(each)
    stream.end()
    read: list[TaskResult] = []
    with anyio.fail_after(LIMIT):
        for _ in range(4):
            async for each in stream.read():
                read.append(each)
                if len(read) % 6 == 0:
                    break
    assert read == results(20)


async def test_a_run_that_goes_on_delivers_all_again_from_the_first(journal: Journal) -> None:
    before = ResultStream(journal, "r", bound=2)
    for each in results(30):
        await before.deliver(each)
    after = ResultStream(journal, "r", bound=2)
    for each in results(50):
        await after.deliver(each)
    after.end()
    with anyio.fail_after(LIMIT):
        assert [each async for each in after.read()] == results(50)
    assert [number for number, _ in await journal.results("r")] == list(range(1, 51))


async def test_the_error_comes_after_the_last_result(journal: Journal) -> None:
    stream = ResultStream(journal, "r", bound=1)
    for each in results(5):
        await stream.deliver(each)
    stream.end(RunCancelledError("cancelled"))
    reading = stream.read()
    with anyio.fail_after(LIMIT):
        assert [await anext(reading) for _ in range(5)] == results(5)
        with pytest.raises(RunCancelledError):
            await anext(reading)


async def test_without_a_journal_all_stay_in_memory() -> None:
    stream = ResultStream(bound=2)
    for each in results(20):
        await stream.deliver(each)
    stream.end()
    assert [each async for each in stream.read()] == results(20)


async def test_with_a_journal_that_fails_results_stay_in_memory_and_a_lost_one_is_told(
    tmp_path: Path,
) -> None:
    journal = await Journal.open(tmp_path / "journal.sqlite")
    await journal.begin_run("r", job_id="j", pool_id="p", account="a")
    late = ResultStream(journal, "r", bound=2)
    for each in results(5):
        await late.deliver(each)
    kept = ResultStream(journal, "r", bound=2)
    await journal.close()
    for each in results(5):
        await kept.deliver(each)
    kept.end()
    with anyio.fail_after(LIMIT):
        assert [each async for each in kept.read()] == results(5)
        reading = late.read()
        assert [await anext(reading), await anext(reading)] == results(2)
        with pytest.raises(JournalError, match="closed"):
            await anext(reading)
