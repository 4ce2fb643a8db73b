"""SIGTERM while fifty runs are under way: it ends within the grace, and all go on after the restart."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from tests.acceptance.daemon.daemons import Daemon
from tests.acceptance.jobs import standing
from tests.soak.readings import tell
from tests.soak.traffic import client_of, simulated

RUNS = 50
GRACE = 2.0
TO_LEAVE = 3.0
"""Seconds beyond the grace for a busy machine to let the process end."""


@pytest.mark.timeout(300)
async def test_sigterm_during_fifty_runs_keeps_to_the_grace_and_all_go_on_to_their_end(
    tmp_path: Path, env_file: Path
) -> None:
    room = {"max_runs": RUNS, "requests_per_second": 1000, "request_burst": 10000}
    with Daemon(tmp_path, env_file, grace=GRACE, daemon_limits=room) as daemon:
        async with client_of(daemon) as client:
            job = simulated(4, seconds=20)
            submitting = (client.submit(job, f"restart-{number}") for number in range(RUNS))
            runs = await asyncio.gather(*submitting)
            while True:
                assert not [view["id"] for view in await client.views() if view["phase"] == "finished"]
                if (await client.metrics())["orchestrator_runs_under_way"] == RUNS:
                    break
                await asyncio.sleep(0.2)
            began = time.monotonic()
            assert daemon.end() == 0
            took = time.monotonic() - began
            daemon.start()
            views = {view["id"]: view for view in await client.all_over(RUNS, within=180)}
        took_up = [line["run"] for line in daemon.said() if line["event"] == "daemon.took_up"]
    tell(f"ended within {took:.1f} s (grace {GRACE:g} s), {len(took_up)} of {RUNS} runs taken up")
    assert took < GRACE + TO_LEAVE
    assert took_up
    assert {views[run_id]["outcome"] for run_id in runs} == {"succeeded"}, views
    held = standing(env_file)
    assert not [name for names in held.values() for name in names for run_id in runs if run_id in name]
