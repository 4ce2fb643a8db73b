"""A run that goes on: its numbers go on, and each handler gets what it had not handled."""

from __future__ import annotations

from collections.abc import Sequence

import anyio
import pytest

from orchestrator.bus import EventBus, Policy
from orchestrator.events import Event, TaskStarted
from orchestrator.limits import Limits
from tests.unit.bus.events import bus_of, started, succeeded
from tests.unit.bus.recorded import Recorded, bus_on
from tests.unit.owner import LIMIT, Owner


async def past(count: int) -> Recorded:
    """A journal in which a run has told so many events, one class and the other in turns."""
    journal = Recorded()
    async with Owner() as owner:
        bus = bus_on(owner, journal)
        for index in range(count):
            await bus.publish(started(index) if index % 2 == 0 else succeeded(index))
    return journal


async def test_numbers_go_on_after_the_last_one() -> None:
    journal = Recorded()
    async with Owner() as owner:
        bus = bus_on(owner, journal, first_sequence=8)
        with anyio.fail_after(LIMIT):
            await bus.publish(started(1), started(2))
    assert [event.sequence for event in journal.events] == [8, 9]


@pytest.mark.parametrize("queue", [1, 5, 1000])
@pytest.mark.parametrize("after", [0, 1, 6, 19, 20])
async def test_a_handler_gets_what_came_after_its_cursor_then_what_comes_now(queue: int, after: int) -> None:
    journal = await past(20)
    before = list(journal.events)
    seen: list[Event] = []
    async with Owner() as owner:
        bus = bus_on(owner, journal, queue=queue, first_sequence=21)
        bus.subscribe(seen.append, (Event,), policy=Policy.SPILL, name="user", after=after)
        starts: list[int] = []
        bus.subscribe(
            lambda event: starts.append(event.sequence),
            (TaskStarted,),
            policy=Policy.SPILL,
            name="starts",
            after=after,
        )
        with anyio.fail_after(LIMIT):
            for index in range(20, 50):
                await bus.publish(started(index))
            await bus.close(LIMIT)
    assert [event.sequence for event in seen] == list(range(after + 1, 51))
    # The very events, with the numbers that they had.
    assert seen[: 20 - after] == before[after:]
    assert starts == [*range(after + 1 + after % 2, 21, 2), *range(21, 51)]


async def test_a_bus_that_closes_at_once_waits_for_who_has_yet_to_read_the_past() -> None:
    journal = await past(3)
    seen: list[Event] = []
    async with Owner() as owner:
        bus = bus_on(owner, journal, first_sequence=4)
        bus.subscribe(seen.append, (Event,), policy=Policy.SPILL, name="user", after=0)
        await bus.close(LIMIT)  # before its worker has begun: nothing but the past has been put there
    assert seen == journal.events


async def test_a_bus_that_closes_waits_for_who_is_busy_with_the_last_of_the_past() -> None:
    journal = await past(1)
    busy, go_on = anyio.Event(), anyio.Event()
    seen: list[int] = []

    async def handle(event: Event) -> None:
        busy.set()
        await go_on.wait()
        seen.append(event.sequence)

    async with Owner() as owner:
        bus = bus_on(owner, journal, first_sequence=2)
        bus.subscribe(handle, (Event,), policy=Policy.SPILL, name="user", after=0)
        with anyio.fail_after(LIMIT):
            await busy.wait()
            owner.start(lambda: bus.close(LIMIT), "closing")
            await anyio.wait_all_tasks_blocked()
            assert seen == []
            go_on.set()
    assert seen == [1]


async def test_an_event_that_is_recorded_and_not_delivered_yet_comes_once() -> None:
    journal = Recorded()
    recorded, deliver = anyio.Event(), anyio.Event()
    seen: list[int] = []

    async def record(events: Sequence[Event]) -> None:
        await journal.record(events)
        recorded.set()
        await deliver.wait()

    async with Owner() as owner:
        bus = EventBus("run", limits=Limits(), start=owner.start, record=record, reader=journal)
        owner.start(lambda: bus.publish(started(1), started(2)), "publisher")
        with anyio.fail_after(LIMIT):
            await recorded.wait()
            bus.subscribe(
                lambda event: seen.append(event.sequence), (Event,), policy=Policy.SPILL, name="u", after=0
            )
            await anyio.wait_all_tasks_blocked()
            assert seen == [1, 2]
            deliver.set()
            await bus.publish(started(3))
            await bus.close(LIMIT)
    assert seen == [1, 2, 3]


async def test_a_handler_with_nothing_in_its_past_gets_what_comes_now() -> None:
    journal = Recorded()
    seen: list[int] = []
    async with Owner() as owner:
        bus = bus_on(owner, journal)
        bus.subscribe(
            lambda event: seen.append(event.sequence), (Event,), policy=Policy.SPILL, name="user", after=0
        )
        with anyio.fail_after(LIMIT):
            await bus.publish(started(1))
            await bus.close(LIMIT)
    assert seen == [1]


async def test_the_cursor_is_at_the_last_handled_event_when_the_bus_is_closed() -> None:
    journal = Recorded()
    async with Owner() as owner:
        bus = bus_on(owner, journal, queue=1000)
        bus.subscribe(lambda _: None, (TaskStarted,), policy=Policy.SPILL, name="user")
        bus.subscribe(lambda _: None, (Event,), policy=Policy.WAIT, name="built in")
        with anyio.fail_after(LIMIT):
            await bus.publish(*(started(index) for index in range(950)), succeeded(1))
            await bus.close(LIMIT)
    assert journal.cursors == {"user": 950}
    # Not after each event.
    assert journal.moves <= 12


async def test_a_handler_that_is_cancelled_has_its_cursor_before_the_event_it_was_busy_with() -> None:
    journal = Recorded()

    async def stuck(event: Event) -> None:
        if event.sequence == 3:
            await anyio.sleep_forever()

    async with Owner() as owner:
        bus = bus_on(owner, journal)
        bus.subscribe(stuck, (Event,), policy=Policy.SPILL, name="user")
        with anyio.fail_after(LIMIT):
            await bus.publish(*(started(index) for index in range(5)))
            await anyio.wait_all_tasks_blocked()
            await bus.close(0.0)
    assert journal.cursors == {"user": 2}


async def test_a_handler_whose_owner_is_cancelled_has_its_cursor_written_too() -> None:
    journal = Recorded()

    async def stuck(event: Event) -> None:
        if event.sequence == 3:
            await anyio.sleep_forever()

    with anyio.fail_after(LIMIT):
        async with Owner() as owner:
            bus = bus_on(owner, journal)
            bus.subscribe(stuck, (Event,), policy=Policy.SPILL, name="user")
            await bus.publish(*(started(index) for index in range(5)))
            await anyio.wait_all_tasks_blocked()
            owner.cancel()
    assert journal.cursors == {"user": 2}


async def test_a_cursor_that_can_not_be_written_stops_nothing() -> None:
    journal = Recorded()
    seen: list[int] = []
    async with Owner() as owner:
        bus = bus_on(owner, journal)
        bus.subscribe(lambda event: seen.append(event.sequence), (Event,), policy=Policy.SPILL, name="user")
        with anyio.fail_after(LIMIT):
            journal.broken = OSError("disk full")
            await bus.publish(started(1))
            await anyio.wait_all_tasks_blocked()
            journal.broken = None
            await bus.publish(started(2))
            await bus.close(LIMIT)
    assert seen == [1, 2]
    assert journal.cursors == {"user": 2}


async def test_two_handlers_of_one_name_have_a_cursor_each_in_the_order_of_registration() -> None:
    journal = await past(10)
    seen: dict[str, list[int]] = {"first": [], "second": []}
    async with Owner() as owner:
        bus = bus_on(owner, journal, first_sequence=11)
        cursors = {"user": 4, "user#2": 8}
        first, second = (
            bus.subscribe(
                lambda event, place=place: seen[place].append(event.sequence),  # type: ignore[misc]
                (Event,),
                policy=Policy.SPILL,
                name="user",
                after=cursors,
            )
            for place in ("first", "second")
        )
        assert (first.name, second.name) == ("user", "user#2")
        with anyio.fail_after(LIMIT):
            await bus.publish(started(1))
            await bus.close(LIMIT)
    assert seen == {"first": list(range(5, 12)), "second": [9, 10, 11]}
    assert journal.cursors == {"user": 11, "user#2": 11}


async def test_only_who_can_read_back_may_begin_with_the_past() -> None:
    async with Owner() as owner:
        with pytest.raises(ValueError, match="begin with the past"):
            bus_of(owner).subscribe(print, (Event,), policy=Policy.SPILL, name="x", after=0)
        bus = EventBus("run", limits=Limits(), start=owner.start, reader=Recorded())
        with pytest.raises(ValueError, match="begin with the past"):
            bus.subscribe(print, (Event,), policy=Policy.WAIT, name="x", after=0)
