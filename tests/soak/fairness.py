"""Many runs at once: how evenly their tasks are completed over time, and what a scrape takes meanwhile."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from datetime import datetime
from typing import Any

import msgspec

from tests.soak.readings import jain, share
from tests.soak.traffic import Client

_SPAN = 10.0
"""Seconds over which progress is compared: a look at each run comes every few seconds."""

_PAUSE = 0.2
"""Seconds between two scrapes: enough of them for their slowest hundredth to mean something."""


class Evenness(msgspec.Struct, frozen=True, kw_only=True):
    """What was seen.

    Args:
        fairness: Jain's index of the tasks that each run completed in the last seconds, at each look, over
            the runs that were at work all that time, where those were half of all at least: who begins later,
            or is done already, is not treated worse for it.
        least: what the run that came least far in such a span did, as a share of the mean.
        scrapes: seconds that each scrape took.
        took: seconds from the first hand-in to the last end.
        longest: seconds that a run took from being accepted to its end, at most.
    """

    fairness: list[float]
    least: list[float]
    scrapes: list[float]
    took: float
    longest: float

    def mean(self) -> float:
        """The mean of the looks."""
        return sum(self.fairness) / len(self.fairness)

    def told(self) -> str:
        """All of it in a line."""
        return (
            f"{self.took:.0f} s, {self.longest:.0f} s the longest run; fairness {self.mean():.3f}, at worst "
            f"{min(self.fairness):.3f}; the least of a run {min(self.least):.2f} of the mean; "
            f"scrape median {self.scrape(0.5) * 1000:.0f} ms, p99 {self.scrape() * 1000:.0f} ms"
        )

    def scrape(self, of: float = 0.99) -> float:
        """What all but the slowest scrapes took."""
        return share(self.scrapes, of)


async def run_evenly(client: Client, job: dict[str, Any], *, runs: int, within: float) -> Evenness:
    """Hand in equal runs, and look at them until all are over.

    Args:
        job: that each run does.
        within: seconds.
    """
    tasks = len(job["tasks"])
    began = time.monotonic()
    fairness: list[float] = []
    least: list[float] = []
    scrapes: list[float] = []
    looks: deque[tuple[float, dict[str, int]]] = deque()
    over = 0
    async with asyncio.TaskGroup() as group:
        scraping = group.create_task(_scrape(client, scrapes))
        group.create_task(_hand_in(client, job, runs))
        while over < runs:
            assert time.monotonic() - began < within, f"{over} of {runs} over within {within:g} s"
            await asyncio.sleep(0.5)
            done = completed(await client.views(), tasks)
            over = sum(1 for is_over, _ in done.values() if is_over)
            now = {run_id: count for run_id, (_, count) in done.items()}
            looks.append((time.monotonic(), now))
            while len(looks) > 1 and looks[1][0] <= looks[-1][0] - _SPAN:
                looks.popleft()
            then = looks[0][1]
            came = [float(now[run_id] - then[run_id]) for run_id in now if _at_work(then, now, run_id, tasks)]
            if looks[-1][0] - looks[0][0] >= _SPAN and len(came) >= runs / 2 and any(came):
                fairness.append(jain(came))
                least.append(min(came) * len(came) / sum(came))
        scraping.cancel()
    took = time.monotonic() - began
    assert fairness, "never was half of them at work at once: give them more tasks"
    views = await client.views()
    assert [view for view in views if view["outcome"] != "succeeded"] == []
    longest = max(_lasted(view) for view in views)
    return Evenness(fairness=fairness, least=least, scrapes=scrapes, took=took, longest=longest)


async def _hand_in(client: Client, job: dict[str, Any], runs: int) -> None:
    """As fast as they are taken; where that takes long, the first are over before the last has begun."""
    for number in range(runs):
        await client.submit(job, f"even-{number}")


async def _scrape(client: Client, scrapes: list[float]) -> None:
    """Ask for the figures, as a monitoring system does, until cancelled."""
    while True:
        before = time.monotonic()
        await client.metrics()
        scrapes.append(time.monotonic() - before)
        await asyncio.sleep(_PAUSE)


def _at_work(then: dict[str, int], now: dict[str, int], run_id: str, tasks: int) -> bool:
    return then.get(run_id, 0) > 0 and now[run_id] < tasks


def _lasted(view: dict[str, Any]) -> float:
    ended, accepted = (datetime.fromisoformat(view[name]) for name in ("ended_at", "accepted_at"))
    return (ended - accepted).total_seconds()


def completed(views: list[dict[str, Any]], tasks: int) -> dict[str, tuple[bool, int]]:
    """Whether each run is over, and how many of its tasks are completed."""
    found = {}
    for view in views:
        over = view["phase"] == "finished"
        by_state = (view["progress"] or {}).get("tasks_by_state", {})
        found[view["id"]] = over, tasks if over else by_state.get("completed", 0)
    return found
