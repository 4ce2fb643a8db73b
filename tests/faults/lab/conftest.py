"""One local service with its fault lab, in a thread; each test has its own jobs and pools."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from orchestrator import JobSpec, Limits, Orchestrator
from orchestrator.local.faults import FaultLab
from orchestrator.local.in_thread import LocalServiceThread
from orchestrator.spec import parse_job

FAST = Limits(
    poll_interval=0.1,
    poll_floor=0.05,
    pool_poll_interval=0.1,
    reconcile_interval=2.0,
    deletion_poll_interval=0.05,
    watch_overlap=5,
    backoff=0.05,
    backoff_limit=0.5,
    operation_timeout=10.0,
    stall_after=0.6,
    stall_interval=0.2,
    nudge_backoff=0.2,
    node_grace=0.5,
    close_grace=10,
)

Open = Callable[..., Orchestrator]
Make = Callable[..., JobSpec]


@pytest.fixture
def lab(azure_batch_faults: FaultLab) -> FaultLab:
    """The fault lab, without rules."""
    return azure_batch_faults


@pytest.fixture
def open_orchestrator(azure_batch_local: LocalServiceThread, tmp_path: Path) -> Open:
    """Makes an orchestrator, not yet entered, with some limits changed."""

    def make(**limits: Any) -> Orchestrator:
        return Orchestrator.local(
            environ=azure_batch_local.settings.as_environment(),
            limits=msgspec.structs.replace(FAST, **limits),
            journal_dir=tmp_path / "journal",
        )

    return make


@pytest.fixture
def make_job(tmp_path: Path) -> Make:
    """Makes a job whose files lie in this test's folder: one pool of one node with four slots."""

    def make(**changes: Any) -> JobSpec:
        pool = {
            "id": "pool-{run}",
            "vm_size": "standard_d2s_v3",
            "image": {"publisher": "canonical", "offer": "ubuntu-24_04-lts", "sku": "server"},
            "target_dedicated_nodes": 1,
            "task_slots_per_node": 4,
            **changes.pop("pool", {}),
        }
        wanted: dict[str, Any] = {
            "id": "job-{run}",
            "download_dir": "results",
            "timeout": "60s",
            "pool": pool,
            "cleanup": {"containers": "always", "job": "always", "pool": "always"},
        }
        return parse_job({**wanted, **changes}, base_dir=tmp_path, where="job")

    return make
