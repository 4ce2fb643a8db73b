"""kill -9 again and again for minutes under traffic."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from tests.acceptance.daemon.daemons import Daemon
from tests.acceptance.jobs import standing
from tests.soak.conftest import StartService, seconds, seed
from tests.soak.killing import kill_under_traffic

EVERY = 20.0


@pytest.mark.soak
@pytest.mark.timeout(3600)
async def test_killed_every_20_s_the_daemon_loses_nothing_that_it_answered(
    start_service: StartService, tmp_path: Path
) -> None:
    length = seconds(600)
    settings = start_service()
    room = {"max_runs": 16, "requests_per_second": 1000, "request_burst": 10000}
    with Daemon(tmp_path, settings, daemon_limits=room) as daemon:
        done = await kill_under_traffic(
            daemon,
            kills=max(int(length / EVERY), 1),
            every=EVERY,
            runs_a_second=float(os.environ.get("SOAK_RATE") or 1.0),
            source=random.Random(seed()),
            patience=max(length, 300),
        )
    print(f"\n{done}, load {os.getloadavg()[0]:.1f}")
    left = standing(settings)
    assert {kind: ids for kind, ids in left.items() if ids} == {}
