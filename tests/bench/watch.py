"""Row `watch`: a job of 100,000 tasks of which one in a thousand changes every two seconds."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import anyio
from azure.batch.aio import BatchClient
from azure.core.credentials import AzureNamedKeyCredential

from orchestrator.accounts import Account
from orchestrator.events import Event, TaskCompleted
from orchestrator.limits import Limits
from orchestrator.stages.reactivate import Reactivation
from orchestrator.stages.watch import TaskWatch
from orchestrator.tracker import TaskTracker
from orchestrator.tracker.retries import Retries
from tests.bench.listing import peer
from tests.bench.row import Row
from tests.bench.server import KEY, reset, settings, stats, stub
from tests.bench.tasks import CHANGED_A_TICK, JOB_SIZE, TICK

POLLS = 15
RECONCILED_EVERY = 300.0
_BEAT = 0.002
_STALL = 0.020


class Heart:
    """Beats in the event loop, and notes how late each beat came."""

    def __init__(self) -> None:
        self.late: list[float] = []

    async def during(self, work: Callable[[], Awaitable[object]]) -> None:
        """Beat as long as the work takes."""

        async def beat() -> None:
            while True:
                due = time.perf_counter() + _BEAT
                await asyncio.sleep(_BEAT)
                self.late.append(time.perf_counter() - due)

        beating = asyncio.create_task(beat())
        await work()
        beating.cancel()

    @property
    def p99(self) -> float:
        """In seconds."""
        return sorted(self.late)[int(len(self.late) * 0.99)]

    def told(self) -> str:
        """For a note."""
        return f"p99 {self.p99 * 1000:.1f} ms, longest {max(self.late) * 1000:.1f} ms"


class Watched:
    """Our watch on the stub's job, until so many tasks have ended."""

    def __init__(self, account: Account, wanted: int) -> None:
        self._account = account
        self._wanted = wanted
        self.completed = 0
        self.first_look: asyncio.Event = asyncio.Event()

    async def run(self) -> None:
        batch, tracker = self._account.batch, TaskTracker("r", "j")
        watch = TaskWatch(
            job_id="j",
            batch=batch,
            tracker=tracker,
            reactivation=Reactivation(
                job_id="j", batch=batch, tracker=tracker, retries=Retries({}), publish=self._publish
            ),
            publish=self._publish,
            limits=Limits(
                poll_interval=TICK, poll_floor=TICK, watch_overlap=10.0, reconcile_interval=RECONCILED_EVERY
            ),
            ours=lambda _: True,
            left=lambda: 0 if self.completed >= self._wanted else None,
        )
        assert await watch.run() is None

    async def _publish(self, *events: Event) -> None:
        self.completed += sum(isinstance(event, TaskCompleted) for event in events)


async def polls(account: Account, address: str) -> tuple[dict[str, Any], dict[str, Any], Heart, Heart]:
    """What the first look, which lists everything, and the looks after it cost; and how late the loop was."""
    await reset(address)
    whole, heart = Heart(), Heart()

    async def list_all() -> None:
        async for _ in account.batch.list_tasks("j"):
            pass

    await whole.during(list_all)
    first = await stats(address)
    await reset(address)
    watched = Watched(account, wanted=(POLLS + 1) * CHANGED_A_TICK)
    with anyio.fail_after(POLLS * TICK * 4):
        await heart.during(watched.run)
    told = await stats(address)
    # The watch's own first look and the look at the job are part of the reconciliation, counted apart.
    told["requests"] -= first["requests"] + 1
    told["sent"] -= first["sent"]
    return first, told, whole, heart


async def measure(rounds: int) -> list[Row]:
    """All rows of this file; once, whatever `rounds` says: it counts what does not vary."""
    del rounds
    with stub() as address:
        account = Account(settings(address), Limits())
        await account.open()
        listed, looked, whole, heart = await polls(account, address)
        await account.close()
        await reset(address)
        stalled = Heart()
        async with BatchClient(address, AzureNamedKeyCredential("acc", KEY)) as client:
            await stalled.during(lambda: peer(client, None))
        full = await stats(address)
    a_poll = looked["sent"] / looked["looks"]
    fewer = full["sent"] / a_poll
    return [
        Row(
            what="watch, a look",
            unit="kB",
            ours=a_poll / 1000,
            peer=full["sent"] / 1000,
            limit=listed["sent"] / 1000,
            target="200 x fewer bytes than a full listing",
            reached=fewer >= 200,
            note=f"peer: {JOB_SIZE:,} tasks listed with all members; limit: with our $select",
        ),
        Row(
            what="watch, the reconciliation that comes every 5 minutes, spread over the looks between",
            unit="kB",
            ours=listed["sent"] / (RECONCILED_EVERY / TICK) / 1000,
            note=f"{listed['requests']} requests each time, beside one for the job; not in the row above",
        ),
        Row(
            what="watch, requests a look",
            unit="requests",
            ours=looked["requests"] / looked["looks"],
            target="<= 2",
            reached=looked["requests"] <= 2 * looked["looks"],
            note=f"{looked['looks']} looks, without the first, which lists everything",
        ),
        Row(
            what="watch, p99 of the loop's delay",
            unit="ms",
            ours=heart.p99 * 1000,
            peer=stalled.p99 * 1000,
            target="< 20 ms",
            reached=heart.p99 < _STALL,
            note=f"looks: {heart.told()}; our full listing: {whole.told()}; the SDK's: {stalled.told()}",
        ),
    ]
