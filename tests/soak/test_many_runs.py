"""Two hundred runs at once, each of many simulated tasks: none is starved."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.acceptance.daemon.daemons import Daemon
from tests.soak.conftest import StartService
from tests.soak.fairness import run_evenly
from tests.soak.readings import read, tell
from tests.soak.traffic import client_of, simulated

RUNS = int(os.environ.get("SOAK_RUNS") or 200)
TASKS = int(os.environ.get("SOAK_TASKS") or 1000)
LOGS = os.environ.get("SOAK_LOGS") or "on_failure"
"""Simulated tasks write none: with `always` it is asked for 400,000 blobs that can't be there."""


@pytest.mark.soak
@pytest.mark.timeout(3600)
async def test_of_two_hundred_runs_at_once_none_is_starved(
    start_service: StartService, tmp_path: Path
) -> None:
    room = {"max_runs": RUNS, "requests_per_second": 1000, "request_burst": 10000}
    calm = {"poll_interval": 1.0, "poll_floor": 0.2, "pool_poll_interval": 2.0}
    with Daemon(tmp_path, start_service(), daemon_limits=room, limits=calm) as daemon:
        assert daemon.running is not None
        async with client_of(daemon) as client:
            job = simulated(TASKS, seconds=0.5, slots=8, logs=LOGS)
            seen = await run_evenly(client, job, runs=RUNS, within=3000)
            memory = read(daemon.running.process.pid).memory
    load = os.getloadavg()[0]
    tell(f"{RUNS} runs of {TASKS} tasks: {seen.told()}; {memory / 1e6:.0f} MB; load {load:.1f}")
    assert seen.mean() > 0.9
    assert min(seen.least) > 0.1
    assert seen.scrape() < 0.1
