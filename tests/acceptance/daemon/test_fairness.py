"""Many runs under way: none waits for the others, and a monitoring system is answered at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.acceptance.daemon.daemons import Daemon
from tests.soak.fairness import run_evenly
from tests.soak.readings import tell
from tests.soak.traffic import client_of, simulated

RUNS = 12


@pytest.mark.timeout(300)
async def test_equal_runs_progress_evenly_and_a_scrape_under_load_is_quick(
    tmp_path: Path, env_file: Path
) -> None:
    room = {"max_runs": RUNS, "requests_per_second": 1000, "request_burst": 10000}
    with Daemon(tmp_path, env_file, daemon_limits=room) as daemon:
        async with client_of(daemon) as client:
            seen = await run_evenly(client, simulated(200, seconds=0.5, slots=4), runs=RUNS, within=200)
    tell(seen.told())
    assert seen.mean() > 0.9
    assert seen.scrape(0.5) < 0.1
