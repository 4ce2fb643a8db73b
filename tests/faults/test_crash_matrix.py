"""Something dies at random moments: nothing lost, nothing done twice, nothing left behind.

`make crash KIND=orchestrator SEED=1` runs the whole of it, with `KIND=batch` and `KIND=blobs` for what else
may die, N times each; without, a few times show that it holds at all.
"""

from __future__ import annotations

import os
import random
import sys
from pathlib import Path

import pytest

from tests.faults.blob_traffic import BlobTraffic
from tests.faults.crash import Trial
from tests.faults.crash_checks import Reruns
from tests.faults.killable_service import KillableService

KIND = os.environ.get("CRASH_KIND")
SEED = int(os.environ.get("CRASH_SEED", "1"))
FEW = 3
MANY = {"orchestrator": 200, "batch": 50, "blobs": 20}
MOST = 4
"""Deaths in one run. A blob server that ends five times within a minute is left alone."""

RETRIES = "retries = { storage = 3 }"
"""Nodes try a transfer for some seconds only, as the real ones do, and one death may follow the other."""


def times(kind: str) -> int:
    """How many deaths of this kind there are to be."""
    if KIND is None:
        return FEW
    return int(os.environ.get("CRASH_N") or MANY[kind]) if kind == KIND else 0


def size(kind: str) -> tuple[int, float]:
    """How many tasks a run has, and about how many seconds it takes: deaths come within them."""
    tasks = int(os.environ.get("CRASH_TASKS", "40" if times(kind) <= FEW else "200"))
    return tasks, 1.5 + tasks / 100


def tell(kind: str, trial: Trial, done: int) -> None:
    """Show how far it is."""
    sys.stdout.write(f"{kind}: {done} of {times(kind)}; {trial.home.name}: {', '.join(trial.told)}\n")
    sys.stdout.flush()


@pytest.mark.skipif(not times("orchestrator"), reason=f"KIND={KIND} was asked for")
@pytest.mark.timeout(120 + times("orchestrator") * 30)
def test_a_run_that_is_killed_again_and_again_does_everything_once(tmp_path: Path) -> None:
    source = random.Random(SEED)
    tasks, span = size("orchestrator")
    done = trials = 0
    through = tmp_path / "through.env"
    with KillableService(tmp_path) as service, BlobTraffic(service.env_file, through) as traffic:
        while done < times("orchestrator"):
            trial = Trial(tmp_path / f"crash-{trials:03}", through, source=source, tasks=tasks)
            most = min(MOST, times("orchestrator") - done)
            trial.kill_until_done(most=most, span=span, traffic=traffic)
            trial.check(Reruns.NEVER)
            done, trials = done + trial.strikes, trials + 1
            tell("orchestrator", trial, done)


@pytest.mark.parametrize(
    "kind",
    [
        pytest.param(kind, marks=pytest.mark.skipif(not times(kind), reason=f"KIND={KIND} was asked for"))
        for kind in ("batch", "blobs")
    ],
)
@pytest.mark.timeout(120 + max(times("batch"), times("blobs")) * 60)
def test_a_run_whose_service_dies_completes_everything_once(tmp_path: Path, kind: str) -> None:
    source = random.Random(SEED)
    tasks, span = size(kind)
    done = trials = 0
    while done < times(kind):
        home = tmp_path / f"{kind}-{trials:03}"
        home.mkdir()
        with KillableService(home) as service:
            job = home / f"job-{trials:03}"
            trial = Trial(job, service.env_file, source=source, tasks=tasks, seconds=0.1, top=RETRIES)
            strike = {"batch": service.kill, "blobs": service.stop_blobs}[kind]
            trial.strike_while_running(strike, most=min(MOST, times(kind) - done), span=span)
            trial.check(Reruns.ALLOWED)
        done, trials = done + trial.strikes, trials + 1
        tell(kind, trial, done)
