"""Many runs at once: how evenly their tasks are completed over time, and what a scrape takes meanwhile."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import msgspec

from tests.soak.readings import jain, share
from tests.soak.traffic import Client, simulated

_ENOUGH = 5
"""Tasks of each run in the mean, below which a look says more of when it was taken than of fairness."""


class Evenness(msgspec.Struct, frozen=True, kw_only=True):
    """What was seen.

    Args:
        fairness: Jain's index of the tasks that each run completed since all were at work, at each look until
            the first was over: who begins later is not treated worse for it.
        scrapes: seconds that each scrape took.
        took: seconds from the first hand-in to the last end.
        spread: seconds between the end of the first run and that of the last.
    """

    fairness: list[float]
    scrapes: list[float]
    took: float
    spread: float

    def least(self) -> float:
        """The worst of the looks."""
        return min(self.fairness)

    def mean(self) -> float:
        """The mean of the looks."""
        return sum(self.fairness) / len(self.fairness)

    def told(self) -> str:
        """All of it in a line."""
        return (
            f"{self.took:.0f} s, first and last run ended {self.spread:.0f} s apart; "
            f"fairness {self.mean():.3f}, at worst {self.least():.3f}; "
            f"scrape median {self.scrape(0.5) * 1000:.0f} ms, p99 {self.scrape() * 1000:.0f} ms"
        )

    def scrape(self, of: float = 0.99) -> float:
        """What all but the slowest scrapes took."""
        return share(self.scrapes, of)


async def run_evenly(
    client: Client, *, runs: int, tasks: int, seconds: float, slots: int, within: float
) -> Evenness:
    """Hand in equal runs, and look at them until all are over.

    Args:
        seconds: that each task takes on its simulated node.
        slots: of each run's node.
        within: seconds.
    """
    job = simulated(tasks, seconds=seconds, slots=slots)
    began = time.monotonic()
    ids = [await client.submit(job, f"even-{number}") for number in range(runs)]
    fairness: list[float] = []
    scrapes: list[float] = []
    ended: list[float] = []
    at_first: list[int] = []
    while len(ended) < runs:
        assert time.monotonic() - began < within, f"{len(ended)} of {runs} over within {within:g} s"
        await asyncio.sleep(0.5)
        before = time.monotonic()
        await client.metrics()
        scrapes.append(time.monotonic() - before)
        done = completed(await client.views(), tasks)
        ended += [time.monotonic()] * (sum(1 for over, _ in done.values() if over) - len(ended))
        counts = [done[run_id][1] for run_id in ids]
        if not at_first and all(counts):
            at_first = counts
        since = [float(now - first) for now, first in zip(counts, at_first, strict=False)]
        if not ended and sum(since) >= _ENOUGH * runs:
            fairness.append(jain(since))
    assert fairness, "the first was over before all were at work: give them more tasks"
    wrong = [view for view in await client.views() if view["outcome"] != "succeeded"]
    assert wrong == []
    return Evenness(fairness=fairness, scrapes=scrapes, took=ended[-1] - began, spread=ended[-1] - ended[0])


def completed(views: list[dict[str, Any]], tasks: int) -> dict[str, tuple[bool, int]]:
    """Whether each run is over, and how many of its tasks are completed."""
    found = {}
    for view in views:
        over = view["phase"] == "finished"
        by_state = (view["progress"] or {}).get("tasks_by_state", {})
        found[view["id"]] = over, tasks if over else by_state.get("completed", 0)
    return found
