"""A slow reader costs bounded memory and loses nothing: what it can't take yet is read back."""

from __future__ import annotations

import anyio
import pytest

from orchestrator.bus import Policy
from orchestrator.errors import JournalError
from orchestrator.events import Event, HandlerFailed, TaskStarted, TaskSucceeded
from tests.unit.bus.events import started, succeeded
from tests.unit.bus.recorded import Recorded, bus_on
from tests.unit.owner import LIMIT, Owner


async def test_a_slow_handler_gets_everything_in_order_with_a_bounded_part_in_memory() -> None:
    gate, journal = anyio.Event(), Recorded()
    seen: list[int] = []
    most_in_memory = 0

    async def slow(event: Event) -> None:
        nonlocal most_in_memory
        await gate.wait()
        seen.append(event.sequence)
        assert subscription._spill is not None
        most_in_memory = max(most_in_memory, len(subscription._spill._events))

    async with Owner() as owner:
        bus = bus_on(owner, journal, queue=10)
        subscription = bus.subscribe(slow, (Event,), policy=Policy.SPILL, name="user")
        with anyio.fail_after(LIMIT):
            for index in range(1000):
                await bus.publish(started(index))
            assert subscription.waiting == 1000
            assert subscription._spill is not None
            assert len(subscription._spill._events) == 10
            gate.set()
            # While it catches up more comes, which must not overtake what it has not read yet.
            for index in range(500):
                await bus.publish(started(index))
            await bus.close(LIMIT)
    assert seen == list(range(1, 1501))
    assert most_in_memory <= 10
    assert journal.largest <= 10


@pytest.mark.parametrize("queue", [1, 2, 7, 100])
@pytest.mark.parametrize("publishers", [1, 5])
async def test_no_event_is_lost_or_doubled_however_reading_and_publishing_meet(
    queue: int, publishers: int
) -> None:
    journal = Recorded()
    seen: list[int] = []

    async def uneven(event: TaskStarted) -> None:
        seen.append(event.sequence)
        if event.sequence % 17 == 0:
            for _ in range(event.sequence % 7):
                await anyio.lowlevel.checkpoint()

    async with Owner() as owner:
        bus = bus_on(owner, journal, queue=queue)
        bus.subscribe(uneven, (TaskStarted,), policy=Policy.SPILL, name="user")
        stream = bus.stream((TaskStarted,))

        async def publish(publisher: int) -> None:
            for index in range(60):
                await bus.publish(started(index), succeeded(index), started(index))
                if (index + publisher) % 13 == 0:
                    await anyio.lowlevel.checkpoint()

        with anyio.fail_after(LIMIT):
            async with anyio.create_task_group() as group:
                for publisher in range(publishers):
                    group.start_soon(publish, publisher)
            await bus.close(LIMIT)
            streamed = [event.sequence async for event in stream]
    wanted = [event.sequence for event in journal.events if isinstance(event, TaskStarted)]
    assert len(wanted) == 120 * publishers
    assert seen == wanted
    assert streamed == wanted


async def test_a_stream_that_nobody_reads_until_the_end_has_everything() -> None:
    journal = Recorded()
    async with Owner() as owner:
        bus = bus_on(owner, journal, queue=3)
        stream = bus.stream((Event,))
        with anyio.fail_after(LIMIT):
            for index in range(50):
                await bus.publish(started(index))
            await bus.close(LIMIT)
            assert [event.sequence async for event in stream] == list(range(1, 51))


async def test_what_can_not_be_read_back_ends_a_handler_with_a_reason_and_is_told_to_the_others() -> None:
    gate, journal = anyio.Event(), Recorded()
    seen: list[Event] = []
    reports: list[HandlerFailed] = []

    async def slow(event: Event) -> None:
        await gate.wait()
        seen.append(event)

    async with Owner() as owner:
        bus = bus_on(owner, journal, queue=2)
        subscription = bus.subscribe(slow, (TaskStarted,), policy=Policy.SPILL, name="user")
        bus.subscribe(reports.append, (HandlerFailed,), policy=Policy.WAIT, name="reports")
        with anyio.fail_after(LIMIT):
            for index in range(10):
                await bus.publish(started(index))
            journal.broken = JournalError("the disk is gone", path="journal.sqlite")
            gate.set()
            await subscription.wait_until_ended()
            await bus.close(LIMIT)
    assert len(seen) <= 3
    assert subscription.closed
    assert subscription.reason is not None
    assert "the disk is gone" in subscription.reason
    assert [(report.handler, report.failed_event) for report in reports] == [("user", "")]


async def test_an_event_that_the_journal_has_lost_is_not_passed_over() -> None:
    gate, journal = anyio.Event(), Recorded()

    async def slow(_: Event) -> None:
        await gate.wait()

    async with Owner() as owner:
        bus = bus_on(owner, journal, queue=1)
        subscription = bus.subscribe(slow, (TaskStarted,), policy=Policy.SPILL, name="user")
        with anyio.fail_after(LIMIT):
            for index in range(10):
                await bus.publish(started(index))
            del journal.events[-1]
            gate.set()
            await subscription.wait_until_ended()
    assert subscription.reason is not None
    assert "ends at event 9, but had event 10" in subscription.reason


async def test_a_handler_does_not_get_the_report_of_its_own_failure_out_of_the_journal() -> None:
    gate, journal = anyio.Event(), Recorded()
    seen: list[Event] = []

    async def failing(event: Event) -> None:
        await gate.wait()
        seen.append(event)
        if event.sequence == 1:
            raise RuntimeError("once")

    async with Owner() as owner:
        bus = bus_on(owner, journal, queue=1)
        bus.subscribe(failing, (Event,), policy=Policy.SPILL, name="user")
        with anyio.fail_after(LIMIT):
            for index in range(10):
                await bus.publish(started(index))
            gate.set()
            await bus.close(LIMIT)
    assert any(isinstance(event, HandlerFailed) for event in journal.events)
    assert [event.sequence for event in seen] == list(range(1, 11))


async def test_events_told_in_one_call_are_recorded_in_one_group_and_delivered_in_order() -> None:
    journal = Recorded()
    seen: list[Event] = []
    async with Owner() as owner:
        bus = bus_on(owner, journal)
        bus.subscribe(seen.append, (Event,), policy=Policy.WAIT, name="x")
        told = [started(1), succeeded(1), started(2)]
        with anyio.fail_after(LIMIT):
            await bus.publish(*told)
            await bus.publish()
            await bus.drain()
    assert journal.groups == [3]
    assert seen == journal.events == told
    assert [event.sequence for event in seen] == [1, 2, 3]


async def test_a_group_makes_its_publisher_wait_for_whoever_it_has_filled() -> None:
    gate = anyio.Event()
    done: list[str] = []
    journal = Recorded()

    async def slow(_: Event) -> None:
        await gate.wait()

    async with Owner() as owner:
        bus = bus_on(owner, journal, queue=2)
        bus.subscribe(slow, (TaskSucceeded,), policy=Policy.WAIT, name="slow")

        async def publish() -> None:
            await bus.publish(*(succeeded(index) for index in range(5)), started(1))
            done.append("group")

        owner.start(publish, "publisher")
        with anyio.fail_after(LIMIT):
            await anyio.wait_all_tasks_blocked()
            assert done == []
            gate.set()
            await bus.drain()
            await anyio.wait_all_tasks_blocked()
    assert done == ["group"]
