"""What happens when a subscriber is slower than the events."""

from __future__ import annotations

import anyio
import pytest

from orchestrator.bus import Policy
from orchestrator.events import Event, TaskEvent, TaskStateChanged
from tests.unit.bus.events import bus_of, started, succeeded
from tests.unit.owner import LIMIT, Owner


async def test_publishing_waits_for_a_full_built_in_handler_and_goes_on_when_there_is_room() -> None:
    gate = anyio.Event()
    published: list[int] = []

    async def slow(_: Event) -> None:
        await gate.wait()

    async with Owner() as owner:
        bus = bus_of(owner, queue=3)
        bus.subscribe(slow, (Event,), policy=Policy.WAIT, name="slow")

        async def publish() -> None:
            for index in range(10):
                await bus.publish(started(index))
                published.append(index)

        owner.start(publish, "publisher")
        with anyio.fail_after(LIMIT):
            await anyio.wait_all_tasks_blocked()
            # One is with the handler, three wait, the fifth is in the backlog and its publisher waits.
            assert len(published) == 4
            gate.set()
            await anyio.wait_all_tasks_blocked()
            await bus.drain()
    assert len(published) == 10


async def test_a_publisher_waiting_for_room_is_let_go_when_the_full_handler_unsubscribes() -> None:
    async with Owner() as owner:
        bus = bus_of(owner, queue=1)
        stuck = bus.subscribe(lambda _: anyio.sleep_forever(), (Event,), policy=Policy.WAIT, name="stuck")
        with anyio.fail_after(LIMIT):
            async with anyio.create_task_group() as publishers:
                for index in range(5):
                    publishers.start_soon(bus.publish, started(index))
                await anyio.wait_all_tasks_blocked()
                stuck.close()


async def test_cancelling_a_publisher_that_waits_for_room_takes_nothing_back() -> None:
    gate = anyio.Event()
    seen: list[Event] = []

    async def slow(event: Event) -> None:
        await gate.wait()
        seen.append(event)

    async with Owner() as owner:
        bus = bus_of(owner, queue=1)
        bus.subscribe(slow, (Event,), policy=Policy.WAIT, name="slow")
        with anyio.fail_after(LIMIT):
            async with anyio.create_task_group() as publishers:
                for index in range(5):
                    publishers.start_soon(bus.publish, started(index))
                await anyio.wait_all_tasks_blocked()
                publishers.cancel_scope.cancel()
            gate.set()
            await bus.drain()
    assert [event.sequence for event in seen] == [1, 2, 3, 4, 5]


async def test_a_spilling_subscriber_never_makes_publishing_wait_and_loses_nothing() -> None:
    gate = anyio.Event()
    done = anyio.Event()
    seen: list[Event] = []

    async def slow(event: Event) -> None:
        await gate.wait()
        seen.append(event)
        if len(seen) == 1000:
            done.set()

    async with Owner() as owner:
        bus = bus_of(owner, queue=10)
        bus.subscribe(slow, (Event,), policy=Policy.SPILL, name="user")
        with anyio.fail_after(LIMIT):
            for index in range(1000):
                await bus.publish(started(index))
            gate.set()
            await done.wait()
    assert [event.sequence for event in seen] == list(range(1, 1001))


async def test_draining_does_not_wait_for_spilling_subscribers() -> None:
    async with Owner() as owner:
        bus = bus_of(owner)
        bus.subscribe(lambda _: anyio.sleep_forever(), (Event,), policy=Policy.SPILL, name="user")
        with anyio.fail_after(LIMIT):
            await bus.publish(started(1))
            await bus.drain()


async def test_a_coalescing_stream_has_the_latest_of_each_class_and_task_in_order() -> None:
    async with Owner() as owner:
        bus = bus_of(owner)
        stream = bus.stream((TaskEvent,), Policy.COALESCE)
        with anyio.fail_after(LIMIT):
            for event in (started(1), started(2), succeeded(2), started(1)):
                await bus.publish(event)
            await bus.close(LIMIT)
            seen = [(event.key.task_id, type(event).__name__, event.sequence) async for event in stream]
    assert seen == [("2", "TaskStarted", 2), ("2", "TaskSucceeded", 3), ("1", "TaskStarted", 4)]
    assert stream.dropped == 1


async def test_a_coalescing_stream_is_bounded_whatever_the_number_of_tasks() -> None:
    async with Owner() as owner:
        bus = bus_of(owner, queue=5)
        stream = bus.stream((TaskStateChanged,), Policy.COALESCE)
        with anyio.fail_after(LIMIT):
            for index in range(100):
                await bus.publish(started(index))
            await bus.close(LIMIT)
            seen = [event.key.task_id async for event in stream]
    assert seen == ["95", "96", "97", "98", "99"]
    assert stream.dropped == 95


async def test_a_disconnecting_stream_ends_after_what_it_holds_and_says_why() -> None:
    async with Owner() as owner:
        bus = bus_of(owner, queue=3)
        stream = bus.stream((Event,), Policy.DISCONNECT, name="browser 7")
        with anyio.fail_after(LIMIT):
            for index in range(10):
                await bus.publish(started(index))
            seen = [event.sequence async for event in stream]
    assert seen == [1, 2, 3]
    assert stream.reason == "browser 7 was more than 3 events behind"


async def test_a_disconnecting_callback_that_keeps_up_stays_connected() -> None:
    seen: list[Event] = []
    async with Owner() as owner:
        bus = bus_of(owner, queue=3)
        subscription = bus.subscribe(seen.append, (Event,), policy=Policy.DISCONNECT, name="remote")
        with anyio.fail_after(LIMIT):
            for index in range(10):
                await bus.publish(started(index))
                await anyio.wait_all_tasks_blocked()
    assert len(seen) == 10
    assert subscription.reason is None


async def test_a_stream_can_not_make_publishing_wait() -> None:
    async with Owner() as owner:
        with pytest.raises(ValueError, match="stop reading"):
            bus_of(owner).stream((Event,), Policy.WAIT)
