"""kill -9 at random moments: nothing lost, nothing done twice, nothing left behind.

`make crash N=200 SEED=1` runs the whole of it; without, a few kills show that it holds at all.
"""

from __future__ import annotations

import os
import random
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.program import Running
from tests.faults.crash import Trial

KILLS = int(os.environ.get("CRASH_N", "6"))
SEED = int(os.environ.get("CRASH_SEED", "1"))
TASKS = int(os.environ.get("CRASH_TASKS", "40" if KILLS <= 10 else "200"))
SPAN = 1.5 + TASKS / 100
"""Seconds that a run takes, about: kills come within them."""
MOST = 4
"""Kills of one run."""


@pytest.fixture
def env_file(tmp_path: Path) -> Iterator[Path]:
    """A local service of its own, which outlives the programs that use it."""
    settings = tmp_path / "settings.env"
    state = tmp_path / "service"
    with Running("local", "--state-dir", state, "--env-file", settings, home=tmp_path) as service:
        assert service.line() == "ready"
        yield settings
        service.signal(signal.SIGTERM)
        assert service.end()[0] == 0


@pytest.mark.timeout(60 + KILLS * 30)
def test_a_run_that_is_killed_again_and_again_does_everything_once(tmp_path: Path, env_file: Path) -> None:
    source = random.Random(SEED)
    kills = trials = 0
    while kills < KILLS:
        trial = Trial(tmp_path / f"crash-{trials:03}", env_file, tasks=TASKS, source=source)
        trial.run_until_done(most=min(MOST, KILLS - kills), span=SPAN)
        trial.check()
        kills += trial.kills
        trials += 1
        sys.stdout.write(f"trial {trials}: {kills} of {KILLS} kills; {'; '.join(trial.told)}\n")
