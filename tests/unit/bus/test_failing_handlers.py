"""One handler's failure harms nobody."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import anyio

from orchestrator.bus import Policy
from orchestrator.events import Event, HandlerFailed, TaskEvent
from tests.unit.bus.events import bus_of, started
from tests.unit.owner import LIMIT, Owner


async def test_a_failure_is_told_to_the_others_and_the_handler_gets_the_next_event() -> None:
    handled: list[int] = []
    told: list[HandlerFailed] = []

    def picky(event: Event) -> None:
        handled.append(event.sequence)
        if event.sequence == 1:
            raise ValueError("not this one")

    async with Owner() as owner:
        bus = bus_of(owner)
        bus.subscribe(picky, (TaskEvent,), policy=Policy.WAIT, name="picky")
        bus.subscribe(told.append, (HandlerFailed,), policy=Policy.WAIT, name="listener")
        with anyio.fail_after(LIMIT):
            await bus.publish(started(1))
            await bus.publish(started(2))
            await bus.drain()
    assert handled == [1, 2]
    assert [(report.handler, report.failed_event, report.error) for report in told] == [
        ("picky", "TaskStarted", "ValueError: not this one")
    ]


async def test_a_handler_never_gets_the_report_of_its_own_failure() -> None:
    seen: list[str] = []

    async def failing(event: Event) -> None:
        seen.append(type(event).__name__)
        raise RuntimeError("always")

    async with Owner() as owner:
        bus = bus_of(owner)
        bus.subscribe(failing, (Event,), policy=Policy.WAIT, name="failing")
        with anyio.fail_after(LIMIT):
            await bus.publish(started(1))
            await bus.drain()
    assert seen == ["TaskStarted"]


async def test_two_handlers_that_fail_over_everything_do_not_keep_each_other_busy() -> None:
    seen: list[tuple[str, str]] = []

    def failing(name: str) -> Callable[[Event], None]:
        def fail(event: Event) -> None:
            seen.append((name, type(event).__name__))
            raise RuntimeError("always")

        return fail

    async with Owner() as owner:
        bus = bus_of(owner, queue=1)
        for name in ("a", "b"):
            bus.subscribe(failing(name), (Event,), policy=Policy.WAIT, name=name)
        with anyio.fail_after(LIMIT):
            for index in range(20):
                await bus.publish(started(index))
            await bus.drain()
    assert sorted(set(seen)) == [
        ("a", "HandlerFailed"),
        ("a", "TaskStarted"),
        ("b", "HandlerFailed"),
        ("b", "TaskStarted"),
    ]
    assert len(seen) == 80


async def test_a_callback_that_awaits_something_cancelled_fails_and_goes_on() -> None:
    handled: list[int] = []
    told: list[HandlerFailed] = []
    cancelled: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    cancelled.cancel()

    async def waits(event: Event) -> None:
        handled.append(event.sequence)
        await cancelled

    async with Owner() as owner:
        bus = bus_of(owner)
        bus.subscribe(waits, (TaskEvent,), policy=Policy.WAIT, name="waits")
        bus.subscribe(told.append, (HandlerFailed,), policy=Policy.WAIT, name="listener")
        with anyio.fail_after(LIMIT):
            await bus.publish(started(1))
            await bus.publish(started(2))
            await bus.drain()
    assert len(handled) == 2
    assert [report.error for report in told] == ["CancelledError: "] * 2


async def test_a_failure_that_the_journal_can_not_take_does_not_end_the_handler() -> None:
    handled: list[Event] = []

    async def record(events: Sequence[Event]) -> None:
        if any(isinstance(event, HandlerFailed) for event in events):
            raise OSError("disk full")

    def failing(event: Event) -> None:
        handled.append(event)
        raise RuntimeError("always")

    async with Owner() as owner:
        bus = bus_of(owner, record=record)
        bus.subscribe(failing, (TaskEvent,), policy=Policy.WAIT, name="failing")
        with anyio.fail_after(LIMIT):
            await bus.publish(started(1))
            await bus.publish(started(2))
            await bus.drain()
    assert len(handled) == 2
