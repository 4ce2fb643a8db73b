"""Rows `journal`: what writing everything down costs; submission with it and without it, in turns."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import anyio

from orchestrator.accounts import Account, BatchAccount
from orchestrator.bus import EventBus
from orchestrator.events import Event, TaskSucceeded
from orchestrator.journal import Journal, RunEvents
from orchestrator.limits import Limits
from orchestrator.stages.submit import TaskSubmission
from orchestrator.states import TaskKey, TaskState
from tests.bench.row import Row, in_turns
from tests.bench.server import settings, stub
from tests.bench.submit import TASKS, bodies

EVENTS = 100_000
TOGETHER = 200
"""Events of one look that are told at once."""
PACE = 20_000
"""Events a second that come while tasks are added."""


def ended(number: int) -> TaskSucceeded:
    """An event as a look at the tasks makes it."""
    now = datetime.now(UTC)
    return TaskSucceeded(
        run_id="r",
        key=TaskKey("j", f"task-{number:07}"),
        previous=TaskState.RUNNING,
        state=TaskState.COMPLETED,
        node_id="tvmps_0123456789abcdef0123456789abcdef_d",
        exit_code=0,
        started_at=now,
        ended_at=now,
    )


@asynccontextmanager
async def new_journal() -> AsyncIterator[Journal]:
    """A journal that knows the run."""
    with tempfile.TemporaryDirectory() as folder:
        journal = await Journal.open(Path(folder) / "journal.sqlite")
        try:
            await journal.begin_run("r", job_id="j", pool_id="p", account="a")
            yield journal
        finally:
            await journal.close()


def bus_of(journal: Journal | None) -> EventBus:
    """A bus that nobody listens to."""

    def start(_: Callable[[], Awaitable[None]], name: str) -> None:
        raise AssertionError(name)

    told = RunEvents(journal, "r") if journal is not None else None
    return EventBus("r", limits=Limits(), start=start, record=told.record if told else None, reader=told)


async def look(bus: EventBus) -> None:
    """Tell events at the pace of a busy run, until cancelled."""
    began, told = time.perf_counter(), 0
    while True:
        await bus.publish(*(ended(number) for number in range(told, told + TOGETHER)))
        told += TOGETHER
        await asyncio.sleep(max(0.0, began + told / PACE - time.perf_counter()))


async def submit(batch: BatchAccount, *, journal: Journal | None, busy: bool) -> None:
    """Our stage, on a bus, with its intentions written down if there is a journal."""
    bus = bus_of(journal)
    submission = TaskSubmission(
        run_id="r",
        job_id="j",
        tasks=bodies(TASKS),
        batch=batch,
        publish=bus.publish,
        limits=Limits(),
        intend=partial(journal.intend, "r") if journal is not None else None,
    )
    async with anyio.create_task_group() as group:
        if busy:
            group.start_soon(look, bus)
        await submission.run()
        group.cancel_scope.cancel()
    assert submission.accepted == TASKS


async def submissions(rounds: int, *, busy: bool) -> Row:
    """Adding tasks with a journal and without one."""
    with stub() as address:
        account = Account(settings(address), Limits())
        await account.open()

        async def with_journal() -> None:
            async with new_journal() as journal:
                await submit(account.batch, journal=journal, busy=busy)

        taken = await in_turns(
            {
                "with": with_journal,
                "without": partial(submit, account.batch, journal=None, busy=busy),
            },
            rounds,
        )
        await account.close()
    on, off = TASKS / taken["with"].wall, TASKS / taken["without"].wall
    return Row(
        what="submit with the journal" + (f", {PACE:,} events/s beside it" if busy else ""),
        unit="tasks/s",
        ours=on,
        limit=off,
        target="0.8 of the rate without it" if not busy else "",
        reached=on >= 0.8 * off if not busy else None,
        note=f"CPU a task: {taken['with'].cpu / TASKS * 1e6:.0f} us with it,"
        f" {taken['without'].cpu / TASKS * 1e6:.0f} us without, its threads included",
    )


async def writing(rounds: int) -> Row:
    """Events alone: how many a second can be written down."""
    events: list[Event] = [ended(number) for number in range(EVENTS)]

    async def publish(journal: Journal | None) -> None:
        bus = bus_of(journal)
        for first in range(0, EVENTS, TOGETHER):
            await bus.publish(*events[first : first + TOGETHER])

    async def with_journal() -> None:
        async with new_journal() as journal:
            await publish(journal)

    taken = await in_turns({"with": with_journal, "without": partial(publish, None)}, rounds)
    rate = EVENTS / taken["with"].wall
    return Row(
        what=f"events told, {TOGETHER} at once, one caller",
        unit="events/s",
        ours=rate,
        limit=EVENTS / taken["without"].wall,
        target=f"{PACE:,}",
        reached=rate >= PACE,
        note=f"CPU an event: {taken['with'].cpu / EVENTS * 1e6:.1f} us, the journal's thread included",
    )


async def measure(rounds: int) -> list[Row]:
    """All rows of this file."""
    return [
        await submissions(rounds, busy=False),
        await submissions(rounds, busy=True),
        await writing(rounds),
    ]
