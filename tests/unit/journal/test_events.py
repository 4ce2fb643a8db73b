"""Events come back as they were, in order, and by the number that listeners go on from."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from orchestrator.errors import JournalError
from orchestrator.events import Event, HandlerFailed, RunEvent, RunStarted, TaskEvent, TaskStarted
from orchestrator.journal import Journal
from tests.unit.journal.runs import begin, events, opened, started


def run_started(sequence: int, folder: Path = Path("results")) -> RunStarted:
    return RunStarted(
        run_id="r",
        job_id="j",
        pool_id="p",
        inputs=1,
        tasks=1,
        account="a",
        download_dir=folder,
        sequence=sequence,
    )


async def test_events_come_back_equal_and_in_order_from_where_they_are_asked_for(path: Path) -> None:
    told = [run_started(1), *events(5, after=1)]
    async with opened(path, "r") as journal:
        await journal.record(told[:2])
        await journal.record(told[2:], durable=True)
        await journal.record([])
        assert await journal.events("r") == tuple(told)
        assert await journal.events("r", after=2, limit=2) == tuple(told[2:4])
        assert await journal.events("r", after=6) == ()
        assert await journal.events("nobody") == ()


async def test_a_class_stands_for_those_below_it(path: Path) -> None:
    told = [run_started(1), *events(2, after=1)]
    async with opened(path, "r") as journal:
        await journal.record(told)
        assert await journal.events("r", types=(TaskEvent,)) == tuple(told[1:])
        assert await journal.events("r", types=(RunEvent,)) == (told[0],)
        assert await journal.events("r", types=(RunEvent, TaskStarted)) == tuple(told)
        assert await journal.events("r", types=(Event,)) == tuple(told)


async def test_many_callers_and_runs_at_once_keep_the_order_within_each_run(path: Path) -> None:
    runs = [f"r{number}" for number in range(10)]
    async with opened(path, *runs) as journal:
        await asyncio.gather(
            *(
                journal.record(events(10, after=10 * step, run=run), durable=step % 3 == 0)
                for step in range(20)
                for run in runs
            )
        )
        for run in runs:
            found = await journal.events(run, limit=1000)
            assert [event.sequence for event in found] == list(range(1, 201))
            rows = await journal.stream_rows(run_id=run, after=0)
            assert [row.sequence for row in rows] == list(range(1, 201))
            record = await journal.run(run)
            assert record is not None
            assert record.last_sequence == 200


async def test_rows_are_numbered_over_all_runs_and_any_listener_goes_on_without_a_gap(path: Path) -> None:
    async with opened(path, "a", "b") as journal:
        await journal.record([started(1, run="a"), started(2, run="a")])
        await journal.record([started(1, run="b")])
        await journal.record([started(3, run="a")])
        rows = await journal.stream_rows(run_id=None, after=0)
        assert [(row.number, row.run_id, row.sequence) for row in rows] == [
            (1, "a", 1),
            (2, "a", 2),
            (3, "b", 1),
            (4, "a", 3),
        ]
        assert msgspec.json.decode(rows[2].body, type=TaskStarted).run_id == "b"
        assert rows[2].event == "TaskStarted"
        for after in range(6):
            wanted = [row for row in rows if row.number > after]
            assert list(await journal.stream_rows(run_id=None, after=after)) == wanted
            mine = [row for row in wanted if row.run_id == "a"]
            # Also when the listener's last event was another run's.
            assert list(await journal.stream_rows(run_id="a", after=after)) == mine
        assert [row.number for row in await journal.stream_rows(run_id=None, after=1, limit=2)] == [2, 3]
        assert [row.number for row in await journal.stream_rows(run_id="a", after=1, limit=2)] == [2, 4]


async def test_an_event_of_a_run_that_never_began_is_refused_and_harms_nobody_else(path: Path) -> None:
    async with opened(path, "r") as journal:
        answers = await asyncio.gather(
            journal.record([started(1)]),
            journal.record([started(1, run="unknown")]),
            journal.record([started(2)]),
            journal.move_cursor("unknown", "h", 1),
            journal.owe("r", "pool", "p"),
            return_exceptions=True,
        )
        assert [type(answer) for answer in answers] == [
            type(None),
            JournalError,
            type(None),
            JournalError,
            type(None),
        ]
        assert "never begun" in str(answers[1])
        assert [event.sequence for event in await journal.events("r")] == [1, 2]
        assert len(await journal.owed()) == 1


async def test_a_number_that_another_program_has_used_is_refused(path: Path) -> None:
    async with opened(path, "r") as first, opened(path) as second:
        await first.record([started(1)])
        with pytest.raises(JournalError, match="another program writes the same run"):
            await second.record([started(1), started(2)])
        # None of a call or all of it.
        assert len(await first.events("r")) == 1


async def test_what_has_no_json_form_is_told_to_its_caller_only(path: Path) -> None:
    wrong = started(2)
    msgspec.structs.force_setattr(wrong, "retry_count", object())
    async with opened(path, "r") as journal:
        answers = await asyncio.gather(
            journal.record([started(1)]), journal.record([wrong]), return_exceptions=True
        )
        assert answers[0] is None
        assert isinstance(answers[1], NotImplementedError)
        assert [event.sequence for event in await journal.events("r")] == [1]


async def test_text_and_paths_that_are_no_unicode_do_not_lose_an_event(path: Path) -> None:
    strange = Path("/results/\udcff\udc80")
    failed = HandlerFailed(
        run_id="r", handler="h", failed_event="TaskStarted", error="half \ud83d of a pair\0", sequence=2
    )
    async with opened(path, "r") as journal:
        await journal.record([run_started(1, strange), failed])
        first, second = await journal.events("r")
        assert isinstance(first, RunStarted)
        assert first.download_dir == strange
        assert isinstance(second, HandlerFailed)
        assert second.error == "half \\ud83d of a pair\0"


async def test_an_event_of_a_class_that_is_not_known_here_is_named(path: Path) -> None:
    async with opened(path, "r") as journal:
        await journal.record(events(2))
        with closing(sqlite3.connect(path)) as connection, connection:
            connection.execute(
                "UPDATE events SET body = replace(body, 'TaskStarted', 'Newer') WHERE sequence = 2"
            )
        assert len(await journal.events("r", limit=1)) == 1
        with pytest.raises(JournalError, match="written by another version"):
            await journal.events("r")


async def test_cursors_belong_to_a_run_and_never_move_back(path: Path) -> None:
    async with opened(path, "r", "s") as journal:
        await journal.move_cursor("r", "mail", 3)
        await asyncio.gather(
            journal.move_cursor("r", "mail", 9),
            journal.move_cursor("r", "mail", 5),
            journal.move_cursor("r", "mail#2", 1),
            journal.move_cursor("s", "mail", 7),
        )
        assert await journal.cursors("r") == {"mail": 9, "mail#2": 1}
        assert await journal.cursors("s") == {"mail": 7}
        assert await journal.cursors("t") == {}


async def test_intentions_come_back_a_request_each_in_order(path: Path) -> None:
    async with opened(path, "r", "s") as journal:
        requests = [tuple(f"task-{request}-{number}" for number in range(3)) for request in range(50)]
        await asyncio.gather(
            *(journal.intend("r", request) for request in requests), journal.intend("s", ["other"])
        )
        assert await journal.intended("r") == tuple(requests)
        assert await journal.intended("s") == (("other",),)
        assert await journal.intended("t") == ()


async def test_reading_sees_whatever_was_written_by_another_program_before(path: Path) -> None:
    async with opened(path, "r") as writer, opened(path) as reader:
        for number in range(1, 30):
            await writer.record([started(number)])
            assert len(await reader.events("r")) == number


async def test_what_is_cancelled_while_it_is_written_stops_nobody(path: Path) -> None:
    async with opened(path, "r") as journal:
        waiting = [asyncio.ensure_future(journal.record([started(number)])) for number in range(1, 20)]
        await asyncio.sleep(0)
        for each in waiting[::2]:
            each.cancel()
        answers = await asyncio.gather(*waiting, return_exceptions=True)
        assert {type(answer) for answer in answers[1::2]} == {type(None)}
        await journal.record([started(100)])
        assert {event.sequence for event in await journal.events("r")} >= {*range(2, 20, 2), 100}


async def test_everything_that_was_begun_is_written_before_the_journal_is_closed(path: Path) -> None:
    journal = await Journal.open(path)
    await begin(journal, "r")
    writing = asyncio.gather(*(journal.record(events(10, after=10 * step)) for step in range(50)))
    await asyncio.sleep(0)
    await journal.close()
    await writing
    async with opened(path) as again:
        assert len(await again.events("r")) == 500
