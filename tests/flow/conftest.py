"""One local service, as a process of its own, for all flow tests; each test has its own jobs and pools."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from orchestrator import JobSpec, Limits, Orchestrator
from orchestrator.spec import parse_job

LOCAL = (sys.executable, "-m", "orchestrator", "local")
FAST = Limits(
    poll_interval=0.1,
    poll_floor=0.05,
    pool_poll_interval=0.2,
    deletion_poll_interval=0.05,
    watch_overlap=5,
    close_grace=10,
)


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A running local service: the path of its settings file."""
    folder = tmp_path_factory.mktemp("service")
    env_file = folder / "settings.env"
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [*LOCAL, "--state-dir", str(folder / "state"), "--env-file", str(env_file)],
            stdout=subprocess.PIPE,
            stderr=log,
            env={name: value for name, value in os.environ.items() if not name.startswith("AZURE_")},
        )
    assert process.stdout is not None
    told = process.stdout.readline()
    if told.strip() != b"ready":
        pytest.fail(f"no service: {told!r} {(folder / 'log').read_text()}")
    yield env_file
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=30) == 0
    process.stdout.close()


@pytest.fixture
def orchestrator(service: Path, tmp_path: Path) -> Orchestrator:
    """An orchestrator, not yet entered, on the running service."""
    return Orchestrator.local(env_file=service, limits=FAST, journal_dir=tmp_path / "journal")


@pytest.fixture
def job(tmp_path: Path, request: pytest.FixtureRequest) -> Callable[..., JobSpec]:
    """Makes a job whose files lie in this test's folder: one pool of one node with four slots."""
    made = 0

    def make(**changes: Any) -> JobSpec:
        nonlocal made
        made += 1
        wanted: dict[str, Any] = {
            "id": "job-{run}",
            "download_dir": "results",
            "timeout": "60s",
            "pool": {
                "id": "pool-{run}",
                "vm_size": "standard_d2s_v3",
                "image": {"publisher": "canonical", "offer": "ubuntu-24_04-lts", "sku": "server"},
                "target_dedicated_nodes": 1,
                "task_slots_per_node": 4,
            },
            "cleanup": {"containers": "always", "job": "always", "pool": "always"},
        }
        return parse_job({**wanted, **changes}, base_dir=tmp_path, where="job")

    return make
