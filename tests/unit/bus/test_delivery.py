"""Who gets which events, and in which order."""

from __future__ import annotations

from collections.abc import Sequence

import anyio
import pytest

from orchestrator.bus import Policy
from orchestrator.errors import NotOpenError
from orchestrator.events import Event, JobCreated, TaskCompleted, TaskEvent, TaskStarted, TaskSucceeded
from tests.unit.bus.events import bus_of, job_created, started, succeeded
from tests.unit.owner import LIMIT, Owner


async def test_a_subscription_to_a_base_class_gets_everything_below_it_and_nothing_else() -> None:
    seen: list[Event] = []
    everything: list[Event] = []
    async with Owner() as owner:
        bus = bus_of(owner)
        bus.subscribe(seen.append, (TaskEvent,), policy=Policy.WAIT, name="tasks")
        bus.subscribe(everything.append, (Event,), policy=Policy.WAIT, name="all")
        events = [job_created(), started(1), succeeded(1)]
        with anyio.fail_after(LIMIT):
            for event in events:
                await bus.publish(event)
            await bus.drain()
    assert seen == events[1:]
    assert everything == events


async def test_a_class_named_twice_by_one_subscription_is_delivered_once() -> None:
    seen: list[Event] = []
    async with Owner() as owner:
        bus = bus_of(owner)
        bus.subscribe(seen.append, (TaskSucceeded, TaskCompleted, TaskEvent), policy=Policy.WAIT, name="x")
        with anyio.fail_after(LIMIT):
            await bus.publish(succeeded(1))
            await bus.drain()
    assert len(seen) == 1


async def test_events_are_numbered_from_one_before_anybody_sees_them() -> None:
    numbers: list[int] = []
    recorded: list[int] = []

    async def record(events: Sequence[Event]) -> None:
        recorded.extend(event.sequence for event in events)

    async with Owner() as owner:
        bus = bus_of(owner, record=record)
        bus.subscribe(lambda e: numbers.append(e.sequence), (Event,), policy=Policy.WAIT, name="x")
        with anyio.fail_after(LIMIT):
            for index in range(3):
                await bus.publish(started(index))
            await bus.drain()
    assert numbers == recorded == [1, 2, 3]


async def test_an_event_is_recorded_before_it_is_delivered() -> None:
    recorded: list[Event] = []
    seen_before_the_record: list[Event] = []

    async def record(events: Sequence[Event]) -> None:
        await anyio.lowlevel.checkpoint()
        recorded.extend(events)

    async with Owner() as owner:
        bus = bus_of(owner, record=record)
        bus.subscribe(
            lambda event: seen_before_the_record.append(event) if event not in recorded else None,
            (Event,),
            policy=Policy.WAIT,
            name="x",
        )
        with anyio.fail_after(LIMIT):
            for index in range(20):
                await bus.publish(started(index))
            await bus.drain()
    assert len(recorded) == 20
    assert seen_before_the_record == []


async def test_every_subscriber_sees_the_same_order_from_many_publishers_through_a_slow_journal() -> None:
    """A later event must not overtake an earlier one, neither in the journal's hands nor for want of room."""
    release = anyio.Event()
    orders: list[list[int]] = [[], []]

    async def record(events: Sequence[Event]) -> None:
        # Every other event takes longer to write than those after it.
        if events[0].sequence % 2:
            await release.wait()

    async def slow(event: Event) -> None:
        await anyio.lowlevel.checkpoint()
        orders[1].append(event.sequence)

    async with Owner() as owner:
        bus = bus_of(owner, queue=2, record=record)
        bus.subscribe(lambda event: orders[0].append(event.sequence), (Event,), policy=Policy.WAIT, name="a")
        bus.subscribe(slow, (Event,), policy=Policy.WAIT, name="b")
        with anyio.fail_after(LIMIT):
            async with anyio.create_task_group() as publishers:
                for index in range(50):
                    publishers.start_soon(bus.publish, started(index))
                await anyio.lowlevel.checkpoint()
                release.set()
            await bus.drain()
    assert orders == [list(range(1, 51))] * 2


async def test_an_event_that_could_not_be_recorded_is_not_delivered_and_does_not_hold_up_the_next() -> None:
    seen: list[int] = []

    async def record(events: Sequence[Event]) -> None:
        if events[0].sequence == 1:
            raise OSError("disk full")

    async with Owner() as owner:
        bus = bus_of(owner, record=record)
        bus.subscribe(lambda event: seen.append(event.sequence), (Event,), policy=Policy.WAIT, name="x")
        with anyio.fail_after(LIMIT):
            with pytest.raises(OSError, match="disk full"):
                await bus.publish(started(1))
            await bus.publish(started(2))
            await bus.drain()
    assert seen == [2]


async def test_a_publisher_cancelled_while_its_event_is_recorded_does_not_hold_up_the_next() -> None:
    seen: list[int] = []
    never = anyio.Event()

    async def record(events: Sequence[Event]) -> None:
        if events[0].sequence == 1:
            await never.wait()

    async with Owner() as owner:
        bus = bus_of(owner, record=record)
        bus.subscribe(lambda event: seen.append(event.sequence), (Event,), policy=Policy.WAIT, name="x")
        with anyio.fail_after(LIMIT):
            async with anyio.create_task_group() as publishers:
                publishers.start_soon(bus.publish, started(1))
                await anyio.wait_all_tasks_blocked()
                publishers.cancel_scope.cancel()
            await bus.publish(started(2))
            await bus.drain()
    assert seen == [2]


async def test_who_subscribes_later_gets_only_what_comes_later() -> None:
    seen: list[Event] = []
    async with Owner() as owner:
        bus = bus_of(owner)
        with anyio.fail_after(LIMIT):
            await bus.publish(started(1))
            bus.subscribe(seen.append, (TaskStarted,), policy=Policy.WAIT, name="late")
            await bus.publish(started(2))
            await bus.drain()
    assert [event.key.task_id for event in seen if isinstance(event, TaskStarted)] == ["2"]


async def test_unsubscribing_inside_the_callback_ends_the_delivery() -> None:
    seen: list[Event] = []
    async with Owner() as owner:
        bus = bus_of(owner)

        def once(event: Event) -> None:
            seen.append(event)
            subscription.close()
            subscription.close()

        subscription = bus.subscribe(once, (Event,), policy=Policy.WAIT, name="once")
        with anyio.fail_after(LIMIT):
            await bus.publish(started(1))
            await bus.publish(started(2))
            await bus.drain()
            await bus.publish(started(3))
            await bus.drain()
    assert len(seen) == 1
    assert subscription.closed


async def test_a_closed_bus_takes_no_events_and_no_subscribers() -> None:
    async with Owner() as owner:
        bus = bus_of(owner)
        with anyio.fail_after(LIMIT):
            await bus.close(LIMIT)
            with pytest.raises(NotOpenError, match="TaskStarted comes too late"):
                await bus.publish(started(1))
        with pytest.raises(NotOpenError):
            bus.subscribe(print, (JobCreated,), policy=Policy.SPILL, name="late")
        with pytest.raises(NotOpenError):
            bus.stream((JobCreated,))


async def test_a_publisher_that_never_waits_lets_others_run_all_the_same() -> None:
    turns = 0
    published = anyio.Event()

    async def others() -> None:
        nonlocal turns
        while not published.is_set():
            turns += 1
            await anyio.lowlevel.checkpoint()

    async with Owner() as owner:
        bus = bus_of(owner)
        owner.start(others, "others")
        with anyio.fail_after(LIMIT):
            for index in range(1000):
                await bus.publish(started(index))
            published.set()
    assert turns >= 10
