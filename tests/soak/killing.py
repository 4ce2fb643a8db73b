"""A daemon that is killed again and again under traffic, and what must hold at the end."""

from __future__ import annotations

import asyncio
import random
import time

import msgspec

from tests.acceptance.daemon.daemons import Daemon
from tests.soak.listening import Listener
from tests.soak.traffic import Client, any_job, client_of


class Killed(msgspec.Struct, frozen=True, kw_only=True):
    """What happened.

    Args:
        events: that the listener heard.
        returns: how often it had to come back.
    """

    runs: int
    kills: int
    events: int
    returns: int


async def kill_under_traffic(
    daemon: Daemon, *, kills: int, every: float, runs_a_second: float, source: random.Random, patience: float
) -> Killed:
    """Kill it at random moments of each span, hand in runs all the while, and look at everything at the end.

    Args:
        every: seconds from one kill to the next, in the mean.
        patience: seconds for what is left to end.
    """
    async with client_of(daemon) as client:
        listener, dying = Listener(), asyncio.Event()
        async with asyncio.TaskGroup() as group:
            ears = group.create_task(listener.listen(client))
            await listener.listening.wait()
            traffic = group.create_task(_hand_in(client, runs_a_second, source, dying))
            for _ in range(kills):
                await asyncio.sleep(source.uniform(0.5, 1.5) * every)
                await asyncio.to_thread(daemon.kill)
                await asyncio.to_thread(daemon.start)
            dying.set()
            wanted = await traffic
            views = await client.all_over(len(wanted), within=patience)
            await _heard(listener, set(wanted))
            ears.cancel()
    assert {view["id"] for view in views} == set(wanted), "runs that nobody asked for, or that were forgotten"
    assert [view for view in views if view["outcome"] != wanted[view["id"]]] == []
    assert [problem for run_id in wanted if (problem := listener.problem(run_id))] == []
    assert listener.numbers == sorted(set(listener.numbers)), "an event came twice, or out of order"
    assert listener.returns >= kills
    return Killed(runs=len(wanted), kills=kills, events=len(listener.numbers), returns=listener.returns)


async def _hand_in(
    client: Client, runs_a_second: float, source: random.Random, enough: asyncio.Event
) -> dict[str, str]:
    began = time.monotonic()
    wanted: dict[str, str] = {}
    while not enough.is_set():
        if len(wanted) < (time.monotonic() - began) * runs_a_second:
            job, outcome = any_job(source)
            wanted[await client.submit(job, f"killed-{len(wanted)}")] = outcome
        else:
            await asyncio.sleep(0.02)
    return wanted


async def _heard(listener: Listener, runs: set[str]) -> None:
    """Wait until the listener has heard of the end of each run: what is told last may still be on its way."""
    deadline = time.monotonic() + 30
    while any(listener.last_class.get(run_id) != "RunFinished" for run_id in runs):
        if time.monotonic() > deadline:
            return  # the check says which
        await asyncio.sleep(0.1)
