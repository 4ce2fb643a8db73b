"""Draining, closing, leaving a stream, and cancellation."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import anyio
import pytest

from orchestrator.bus import EventBus, Policy, Subscription
from orchestrator.errors import NotOpenError
from orchestrator.events import Event, TaskEvent, TaskStarted, TaskSucceeded
from tests.unit.bus.events import bus_of, job_created, started, succeeded
from tests.unit.owner import LIMIT, Owner


def subscribers(bus: EventBus) -> list[Subscription]:
    return bus._subscriptions


async def test_draining_waits_for_what_handlers_publish_in_turn() -> None:
    seen: list[Event] = []
    async with Owner() as owner:
        bus = bus_of(owner)

        async def answer(event: TaskStarted) -> None:
            await anyio.lowlevel.checkpoint()
            await bus.publish(succeeded(event.key.task_id))

        async def note(event: TaskSucceeded) -> None:
            await anyio.lowlevel.checkpoint()
            seen.append(event)

        # The consumer first, so that it is quiet when the producer is not.
        bus.subscribe(note, (TaskSucceeded,), policy=Policy.WAIT, name="note")
        bus.subscribe(answer, (TaskStarted,), policy=Policy.WAIT, name="answer")
        with anyio.fail_after(LIMIT):
            for index in range(10):
                await bus.publish(started(index))
            await bus.drain()
            assert len(seen) == 10


async def test_draining_an_idle_bus_returns_at_once() -> None:
    async with Owner() as owner:
        with anyio.fail_after(LIMIT):
            await bus_of(owner).drain()


async def test_closing_lets_every_callback_handle_what_it_has() -> None:
    seen: dict[str, int] = {}
    async with Owner() as owner:
        bus = bus_of(owner)

        def counter(name: str) -> Callable[[Event], Awaitable[None]]:
            async def count(_: Event) -> None:
                await anyio.lowlevel.checkpoint()
                seen[name] = seen.get(name, 0) + 1

            return count

        for policy in Policy:
            name = policy.value
            bus.subscribe(counter(name), (Event,), policy=policy, name=name)
        with anyio.fail_after(LIMIT):
            for index in range(10):
                await bus.publish(started(index))
            await bus.close(LIMIT)
    assert seen == {policy.value: 10 for policy in Policy}


async def test_handlers_may_publish_while_the_bus_is_being_closed() -> None:
    seen: list[Event] = []
    gate = anyio.Event()
    async with Owner() as owner:
        bus = bus_of(owner)

        async def answer(event: TaskStarted) -> None:
            await gate.wait()
            await bus.publish(succeeded(event.key.task_id))

        bus.subscribe(answer, (TaskStarted,), policy=Policy.WAIT, name="answer")
        bus.subscribe(seen.append, (TaskSucceeded,), policy=Policy.WAIT, name="note")
        with anyio.fail_after(LIMIT):
            await bus.publish(started(1))
            async with anyio.create_task_group() as group:
                group.start_soon(bus.close, LIMIT)
                await anyio.wait_all_tasks_blocked()
                gate.set()
    assert len(seen) == 1


async def test_closing_cancels_a_callback_that_does_not_end_within_the_grace() -> None:
    cancelled = anyio.Event()

    async def stuck(_: Event) -> None:
        try:
            await anyio.sleep_forever()
        finally:
            cancelled.set()

    async with Owner() as owner:
        bus = bus_of(owner)
        subscription = bus.subscribe(stuck, (Event,), policy=Policy.SPILL, name="stuck")
        with anyio.fail_after(LIMIT):
            await bus.publish(started(1))
            await bus.close(0.01)
            assert cancelled.is_set()
    assert subscription.closed
    assert subscription.reason == "not done 0.01 s after the end of the run"


async def test_closing_twice_and_at_the_same_time_is_harmless() -> None:
    async with Owner() as owner:
        bus = bus_of(owner)
        bus.subscribe(lambda _: None, (Event,), policy=Policy.WAIT, name="x")
        with anyio.fail_after(LIMIT):
            await bus.publish(started(1))
            async with anyio.create_task_group() as group:
                group.start_soon(bus.close, LIMIT)
                group.start_soon(bus.close, LIMIT)
            await bus.close(LIMIT)


async def test_a_cancelled_close_still_ends_every_worker() -> None:
    ended = anyio.Event()

    async def stuck(_: Event) -> None:
        try:
            await anyio.sleep_forever()
        finally:
            ended.set()

    async with Owner() as owner:
        bus = bus_of(owner)
        bus.subscribe(stuck, (Event,), policy=Policy.WAIT, name="stuck")
        with anyio.fail_after(LIMIT):
            await bus.publish(started(1))
            async with anyio.create_task_group() as group:
                group.start_soon(bus.close, LIMIT)
                await anyio.wait_all_tasks_blocked()
                group.cancel_scope.cancel()
            await ended.wait()
            with pytest.raises(NotOpenError):
                await bus.publish(started(2))


async def test_a_worker_whose_owner_is_cancelled_lets_waiting_publishers_and_drains_go() -> None:
    async with Owner() as owner, anyio.create_task_group() as others:
        bus = bus_of(owner, queue=1)
        bus.subscribe(lambda _: anyio.sleep_forever(), (Event,), policy=Policy.WAIT, name="stuck")
        with anyio.fail_after(LIMIT):
            for index in range(4):
                others.start_soon(bus.publish, started(index))
            others.start_soon(bus.drain)
            await anyio.wait_all_tasks_blocked()
            owner.cancel()
            await anyio.wait_all_tasks_blocked()
    assert subscribers(bus) == []


async def test_a_stream_gives_events_in_order_and_ends_with_the_bus() -> None:
    async with Owner() as owner:
        bus = bus_of(owner)
        stream = bus.stream((TaskEvent,))
        with anyio.fail_after(LIMIT):
            await bus.publish(job_created())
            await bus.publish(started(1))
            await bus.publish(succeeded(1))
            await bus.close(LIMIT)
            seen = [type(event).__name__ async for event in stream]
    assert seen == ["TaskStarted", "TaskSucceeded"]
    assert stream.reason is None


async def test_a_reader_that_waits_is_let_go_when_the_bus_closes() -> None:
    async with Owner() as owner:
        bus = bus_of(owner)
        stream = bus.stream((Event,))
        ended = anyio.Event()

        async def read() -> None:
            async for _ in stream:
                pass
            ended.set()

        owner.start(read, "reader")
        with anyio.fail_after(LIMIT):
            await anyio.wait_all_tasks_blocked()
            await bus.close(LIMIT)
            await ended.wait()


async def test_a_reader_that_stops_reading_stops_nobody() -> None:
    seen: list[Event] = []
    async with Owner() as owner:
        bus = bus_of(owner, queue=2)
        stream = bus.stream((Event,))
        bus.subscribe(seen.append, (Event,), policy=Policy.WAIT, name="x")
        with anyio.fail_after(LIMIT):
            await bus.publish(started(0))
            await anext(stream)
            for index in range(1, 100):
                await bus.publish(started(index))
            await bus.drain()
            await bus.close(LIMIT)
    assert len(seen) == 100


async def test_breaking_out_of_a_stream_nobody_else_holds_unsubscribes() -> None:
    async with Owner() as owner:
        bus = bus_of(owner)
        with anyio.fail_after(LIMIT):
            reading = bus.stream((Event,))
            await bus.publish(started(1))
            async for _ in reading:
                break
            assert len(subscribers(bus)) == 1
            del reading
    assert subscribers(bus) == []


@pytest.mark.parametrize("way", ["end of the block", "exception", "aclose"])
async def test_leaving_a_stream_unsubscribes(way: str) -> None:
    async with Owner() as owner:
        bus = bus_of(owner)
        stream = bus.stream((Event,))
        with anyio.fail_after(LIMIT):
            match way:
                case "end of the block":
                    async with stream:
                        pass
                case "exception":
                    with pytest.raises(ZeroDivisionError):
                        async with stream:
                            1 / 0  # noqa: B018 - the exception is the point
                case _:
                    await stream.aclose()
                    await stream.aclose()
            assert subscribers(bus) == []
            await bus.publish(started(1))
            with pytest.raises(StopAsyncIteration):
                await anext(stream)


async def test_cancelling_a_reader_inside_its_block_unsubscribes() -> None:
    async with Owner() as owner:
        bus = bus_of(owner)
        with anyio.fail_after(LIMIT):
            with anyio.CancelScope() as scope:
                async with bus.stream((Event,)) as stream:
                    scope.cancel()
                    await anext(stream)
            assert subscribers(bus) == []


async def test_giving_up_on_the_next_event_loses_none() -> None:
    async with Owner() as owner:
        bus = bus_of(owner)
        async with bus.stream((Event,)) as stream:
            with anyio.move_on_after(0):
                await anext(stream)
            with anyio.fail_after(LIMIT):
                await bus.publish(started(1))
                with anyio.move_on_after(0):
                    await anyio.lowlevel.checkpoint()
                assert (await anext(stream)).sequence == 1


async def test_a_callback_that_publishes_on_another_bus_and_waits_for_it_does_not_deadlock() -> None:
    """As a user's handler does that submits another run and waits for its end."""
    seen: list[Event] = []
    async with Owner() as owner:
        first, second = bus_of(owner, queue=1), bus_of(owner, queue=1)

        async def submit_another(event: TaskSucceeded) -> None:
            await second.publish(started(event.key.task_id))
            await second.drain()

        first.subscribe(submit_another, (TaskSucceeded,), policy=Policy.SPILL, name="user")
        second.subscribe(seen.append, (Event,), policy=Policy.WAIT, name="x")
        with anyio.fail_after(LIMIT):
            for index in range(20):
                await first.publish(succeeded(index))
            await first.close(LIMIT)
    assert len(seen) == 20
