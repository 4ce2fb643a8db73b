"""Requests that are wrong in every way: each is refused, none is a defect, and nothing of them stays."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from tests.acceptance.daemon.daemons import Daemon, until
from tests.soak.malformed import Maker
from tests.soak.pelting import pelt
from tests.soak.readings import Reading, figures, read, tell

PATIENT = {"requests_per_second": 1_000_000, "request_burst": 10_000_000}
MOST_GROWTH = 8e6
"""Bytes; the heap's own ups and downs are about 2 MB, and a leak of 1 KiB a request would be 10 MB."""


def held(daemon: Daemon) -> tuple[Reading, float]:
    """What the daemon holds, and how many tasks its loop has."""
    assert daemon.running is not None
    tasks = figures(daemon.ask("GET", "/metrics")[1])["orchestrator_loop_tasks"]
    return read(daemon.running.process.pid), tasks


@pytest.mark.timeout(900)
def test_malformed_requests_are_refused_without_a_defect_and_leave_nothing(
    tmp_path: Path, env_file: Path
) -> None:
    count, seed = int(os.environ.get("MALFORMED") or 1500), int(os.environ.get("SOAK_SEED") or 1)
    with Daemon(tmp_path, env_file, daemon_limits=PATIENT) as daemon:
        address = (daemon.state / "address").read_text().strip()
        maker = Maker(seed, daemon.token())
        idle, tasks = held(daemon)
        asyncio.run(pelt(address, maker, 1000))  # until every code path has its memory
        before, _ = held(daemon)
        statuses, defects = asyncio.run(pelt(address, maker, count))
        tell(f"{count} requests: {dict(statuses.most_common())}")
        assert defects == []
        assert [line for line in daemon.said() if line["event"] in {"api.defect", "owner.task_failed"}] == []
        assert [line for line in daemon.said() if line["level"] == "error"] == []
        until(lambda: held(daemon)[1] <= tasks + 4, "its tasks end")
        until(lambda: held(daemon)[0].handles <= idle.handles + 4, "its connections are closed")
        after, _ = held(daemon)
        tell(f"before {before}, after {after}, {tasks:.0f} tasks")
        assert after.memory - before.memory < MOST_GROWTH
        assert list((daemon.state / "uploads").iterdir()) == []
        assert {view["phase"] for view in daemon.ask("GET", "/v1/runs")[1]["runs"]} <= {"finished"}
        assert daemon.ask("GET", "/readyz", token=None)[0] == 200
