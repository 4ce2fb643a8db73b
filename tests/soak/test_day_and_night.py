"""Seeded traffic with faults on for a while: what the daemon holds must not grow with what it has done."""

from __future__ import annotations

import asyncio
import os
import random
import time
from pathlib import Path

import msgspec
import pytest

from tests.acceptance.daemon.daemons import Daemon
from tests.soak.conftest import StartService, seconds, seed
from tests.soak.readings import Reading, read
from tests.soak.traffic import Client, any_job, client_of, input_file

RUNS_A_SECOND = float(os.environ.get("SOAK_RATE") or 1000 / 600)
UNDER_WAY = 16
GROWTH = 1.05
LAG = 0.05
IN_TIME = 0.99
_BUSY = 0.05
_SPARE_HANDLES = 10
_TO_REST = 60.0
_SWAY = 30
"""By how many connections two thirds may differ, as runs come and go."""
_SPARE_TASKS = 100


class Moment(msgspec.Struct, frozen=True, kw_only=True):
    """What the daemon held at a moment, and how late its loop was.

    Args:
        beats: of the loop since the start.
        in_time: those of them that were late by no more than `LAG`.
    """

    at: float
    held: Reading
    tasks: float
    lag: float
    worst_lag: float
    beats: float
    in_time: float
    over: int


async def hand_in(client: Client, length: float, source: random.Random) -> dict[str, str]:
    """Hand in runs at a steady pace: the outcome that each must come to."""
    began = time.monotonic()
    wanted: dict[str, str] = {}
    while (elapsed := time.monotonic() - began) < length:
        if len(wanted) < elapsed * RUNS_A_SECOND:
            job, outcome = any_job(source, "shared.txt")
            submitter = source.choice(("anna", "ben", "cleo"))
            wanted[await client.submit(job, str(len(wanted)), submitter=submitter)] = outcome
        else:
            await asyncio.sleep(0.05)
    return wanted


async def watch(client: Client, pid: int, done: asyncio.Event, moments: list[Moment]) -> None:
    """Look at the daemon every few seconds."""
    began = time.monotonic()
    while not done.is_set():
        found = await client.metrics()
        moments.append(
            Moment(
                at=time.monotonic() - began,
                held=read(pid),
                tasks=found["orchestrator_loop_tasks"],
                lag=found["orchestrator_loop_lag_p99_seconds"],
                worst_lag=found["orchestrator_loop_lag_worst_seconds"],
                beats=found["orchestrator_loop_beat_lag_seconds_count"],
                in_time=found[f'orchestrator_loop_beat_lag_seconds_bucket{{le="{LAG}"}}'],
                over=int(found.get('orchestrator_runs{state="succeeded"}', 0)),
            )
        )
        try:
            await asyncio.wait_for(done.wait(), 2)
        except TimeoutError:
            continue


async def rest(client: Client, pid: int, first: Moment) -> Reading:
    """What it holds once its idle connections are closed, which takes some seconds."""
    deadline = time.monotonic() + _TO_REST
    while True:
        held = read(pid)
        if held.handles <= first.held.handles + _SPARE_HANDLES or time.monotonic() > deadline:
            break
        await asyncio.sleep(1)
    tasks = (await client.metrics())["orchestrator_loop_tasks"]
    assert tasks <= first.tasks + _SPARE_HANDLES
    return held


def third(moments: list[Moment], number: int) -> list[Moment]:
    """One of the three equal parts of the time."""
    end = moments[-1].at
    return [moment for moment in moments if end * (number - 1) / 3 <= moment.at <= end * number / 3]


def mean(values: list[float]) -> float:
    return sum(values) / len(values)


def told(moments: list[Moment]) -> str:
    """A line for each tenth of the time."""
    step = max(len(moments) // 10, 1)
    return "\n".join(
        f"{m.at:6.0f} s  {m.held.memory / 1e6:7.1f} MB  {m.held.handles:4} handles  "
        f"{m.held.threads:3} threads  {m.tasks:5.0f} tasks  "
        f"lag p99 {m.lag * 1000:6.1f} ms, worst {m.worst_lag * 1000:6.1f} ms  {m.over} runs over"
        for m in moments[::step]
    )


@pytest.mark.soak
@pytest.mark.timeout(1800)
async def test_what_the_daemon_holds_does_not_grow_with_what_it_has_done(
    start_service: StartService, tmp_path: Path
) -> None:
    length, source = seconds(600), random.Random(seed())
    input_file(tmp_path / "inputs")
    room = {"max_runs": UNDER_WAY, "requests_per_second": 1000, "request_burst": 10000, "max_waiting": 5000}
    with Daemon(
        tmp_path, start_service(faults_seed=seed()), 'inputs_root = "inputs"', daemon_limits=room
    ) as daemon:
        assert daemon.running is not None
        pid, done, began = daemon.running.process.pid, asyncio.Event(), time.monotonic()
        moments: list[Moment] = []
        async with client_of(daemon) as client, asyncio.TaskGroup() as group:
            group.create_task(watch(client, pid, done, moments))
            wanted = await hand_in(client, length, source)
            traffic = list(moments)
            done.set()
        async with client_of(daemon) as client:
            views = await client.all_over(len(wanted), within=max(length, 120))
            took = time.monotonic() - began
            at_rest = await rest(client, pid, moments[0])
    load = os.getloadavg()[0]
    print(
        f"{len(wanted)} runs in {length:g} s, all over after {took:.0f} s, load {load:.1f}\n{told(traffic)}"
    )
    print(f"at rest: {at_rest}")
    assert [view for view in views if view["outcome"] != wanted[view["id"]]] == []
    second, last = third(traffic, 2), third(traffic, 3)
    growth = mean([m.held.memory for m in last]) / mean([m.held.memory for m in second])
    first, final = traffic[0], traffic[-1]
    lag = mean([m.lag for m in traffic])
    in_time = (final.in_time - first.in_time) / (final.beats - first.beats)
    waited = (final.held.waited - first.held.waited) / (final.at - first.at)
    worked = (final.held.worked - first.held.worked) / (final.at - first.at)
    print(
        f"memory, last third to second: {growth:.3f}; p99 lag of a minute {lag:.3f} s in the mean; "
        f"{in_time:.2%} of {final.beats - first.beats:.0f} beats late by no more than {LAG:g} s; "
        f"its loop worked for {worked:.0%} of the time, and waited for a processor for {waited:.0%}"
    )
    assert growth < GROWTH
    assert mean([m.held.handles for m in last]) < mean([m.held.handles for m in second]) + _SWAY
    assert mean([m.tasks for m in last]) < mean([m.tasks for m in second]) + _SPARE_TASKS
    assert at_rest.handles <= first.held.handles + _SPARE_HANDLES
    # Where the machine had other things to do, being late says nothing of the daemon.
    assert in_time >= IN_TIME or waited > _BUSY
    assert len(wanted) > IN_TIME * length * RUNS_A_SECOND or waited > _BUSY
