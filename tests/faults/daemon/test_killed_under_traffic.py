"""kill -9 under traffic: what was answered is not lost, ends rightly, and is told without a gap."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.acceptance.daemon.daemons import Daemon
from tests.acceptance.jobs import standing
from tests.faults.killable_service import KillableService
from tests.soak.killing import kill_under_traffic


@pytest.mark.timeout(300)
async def test_after_three_kills_under_traffic_all_that_was_answered_is_there_and_told(
    tmp_path: Path,
) -> None:
    (tmp_path / "service").mkdir()
    room = {"max_runs": 8, "requests_per_second": 1000, "request_burst": 10000}
    with KillableService(tmp_path / "service") as service:
        with Daemon(tmp_path, service.env_file, daemon_limits=room) as daemon:
            done = await kill_under_traffic(
                daemon, kills=3, every=2.0, runs_a_second=1.0, source=random.Random(1), patience=120
            )
        assert done.runs >= 3
        left = standing(service.env_file)
        assert {kind: ids for kind, ids in left.items() if ids} == {}
