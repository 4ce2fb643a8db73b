"""What crashed runs leave is found and deleted from another machine, and nothing that somebody stands for."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.jobs import standing
from tests.acceptance.program import LIMIT, Running, orchestrator, user_environment

PROGRAM = Path(__file__).with_name("expiring_run.py")
CRASHES = int(os.environ.get("ORCHESTRATOR_CRASHES", "4"))
SEED = 20260301
NOTHING: dict[str, list[str]] = {"pool": [], "job": [], "container": []}


class ExpiringRun(Running):
    """A run in a process of its own, whose marks last three seconds without it."""

    def __init__(
        self, env_file: Path, folder: Path, pool: str, *, seconds: float, net_interval: float = 300
    ) -> None:
        self.process = subprocess.Popen(
            [
                sys.executable,
                "-P",
                str(PROGRAM),
                str(env_file),
                str(folder),
                pool,
                str(seconds),
                str(net_interval),
            ],
            env=user_environment(folder.parent),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self._buffer = b""

    def crash(self) -> None:
        self.process.kill()
        self.process.wait(LIMIT)

    def reach(self, event: str) -> None:
        """Wait until it has told this event."""
        while (told := self.line()) is not None:
            if told == event:
                return
        raise AssertionError(self.end())


@pytest.fixture
def env_file(tmp_path: Path) -> Iterator[Path]:
    """The settings of a local service of this test's own."""
    settings = tmp_path / "settings.env"
    state = tmp_path / "service"
    with Running("local", "--state-dir", state, "--env-file", settings, home=tmp_path) as service:
        assert service.line() == "ready"
        yield settings
        service.signal(signal.SIGTERM)
        assert service.end()[0] == 0


def gc(env_file: Path, home: Path, *arguments: str) -> tuple[int, list[dict[str, Any]]]:
    """Run it as on another machine: with a home, and so a state directory, of its own."""
    home.mkdir(exist_ok=True)
    done = orchestrator(
        "gc", "--env-file", env_file, "--grace", "0s", "--output", "json", *arguments, home=home
    )
    assert done.returncode in {0, 4}, done.stderr
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()]


def named(told: list[dict[str, Any]], what: str) -> set[str]:
    return {f"{one[what]['kind']} {one[what]['id']}" for one in told if what in one}


def eventually(look: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + LIMIT
    while not look():
        assert time.monotonic() < deadline, f"not within {LIMIT:g} s: {what}"


def test_of_two_on_one_pool_only_what_expired_goes(env_file: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    with (
        ExpiringRun(env_file, tmp_path / "a", "shared", seconds=60) as first,
        ExpiringRun(env_file, tmp_path / "b", "shared", seconds=25) as second,
    ):
        first.reach("TaskStarted")
        second.reach("TaskStarted")
        before = standing(env_file)
        assert (len(before["pool"]), len(before["job"]), len(before["container"])) == (1, 2, 5)
        assert gc(env_file, elsewhere, "--yes") == (0, [])
        assert standing(env_file) == before

        first.crash()
        eventually(lambda: len(gc(env_file, elsewhere)[1]) == 3, "the crashed run expires")
        code, told = gc(env_file, elsewhere, "--yes")
        assert code == 0
        gone = {f"{kind} {name}" for kind, names in before.items() for name in names}
        left = standing(env_file)
        gone -= {f"{kind} {name}" for kind, names in left.items() for name in names}
        assert named(told, "collected") == gone
        assert (left["pool"], len(left["job"]), len(left["container"])) == (["shared"], 1, 3)
        second.reach("RunFinished")
        assert second.end()[0] == 0
    assert len(list((tmp_path / "b" / "results").rglob("out.txt"))) == 2
    eventually(lambda: gc(env_file, elsewhere, "--yes")[0] == 0 and standing(env_file) == NOTHING, "all goes")


@pytest.mark.timeout(600)
def test_after_crashes_that_nobody_resumes_everything_is_gone_once_expired(
    env_file: Path, tmp_path: Path
) -> None:
    rng = random.Random(SEED)
    for number in range(CRASHES):
        pool = rng.choice(["shared", "pool-{run}"])
        with ExpiringRun(env_file, tmp_path / f"run-{number}", pool, seconds=rng.choice([0, 30])) as run:
            for _ in range(rng.randint(1, 20)):
                if run.line() is None:
                    break
            run.crash()
    elsewhere = tmp_path / "elsewhere"
    code, told = gc(env_file, elsewhere)
    assert all(one["found"]["needed_by"] is None for one in told) or code == 4

    def all_expired() -> bool:
        told = gc(env_file, elsewhere)[1]
        return len(named(told, "found")) == sum(map(len, standing(env_file).values()))

    eventually(all_expired, "everything expires")
    code, told = gc(env_file, elsewhere, "--yes")
    assert (code, standing(env_file)) == (0, NOTHING), told
    assert {one["collected"]["fate"] for one in told if "collected" in one} <= {"deleted"}
