"""Seeded mixtures of faults: `make faults N=100` for many, with 300 tasks each; a few small ones here."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from orchestrator import RunOutcome
from orchestrator.local.faults import FaultLab
from tests.faults.lab.conftest import Make, Open
from tests.faults.lab.mixture import job, run_through

MANY = int(os.environ.get("FAULT_MIXTURES", "3"))
TASKS = int(os.environ.get("FAULT_TASKS", "60"))
FIRST = int(os.environ.get("FAULT_SEED", "1"))


@pytest.mark.timeout(200)
@pytest.mark.parametrize("seed", range(FIRST, FIRST + MANY))
async def test_a_run_comes_to_a_good_end_through_a_mixture(
    open_orchestrator: Open, make_job: Make, lab: FaultLab, tmp_path: Path, seed: int
) -> None:
    orchestrator = open_orchestrator(attempts=12, stall_after=30)
    outcome = await run_through(orchestrator, lab, job(TASKS, make_job), tmp_path / "results", seed)
    assert outcome is RunOutcome.SUCCEEDED
