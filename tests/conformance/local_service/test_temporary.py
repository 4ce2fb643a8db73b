"""Temporary folders of services that were killed are removed by the next one; no folder in use is."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator.local.temporary import PREFIX, remove_abandoned


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """Makes temporary folders where only this test looks; given the lock's place in it."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))

    def make(lock: str | None, *, written: str = "123\n") -> Path:
        made = Path(tempfile.mkdtemp(prefix=PREFIX))
        (made / "state").mkdir()
        if lock is not None:
            (made / lock).write_text(written)
        return made

    return make


@pytest.mark.parametrize("lock", ["lock", "state/lock"])
def test_what_a_killed_service_left_is_removed(folder: Callable[..., Path], lock: str) -> None:
    abandoned = folder(lock)
    remove_abandoned()
    assert not abandoned.exists()


@pytest.mark.parametrize("lock", ["lock", "state/lock"])
def test_what_is_held_stays_whoever_else_is_dead(folder: Callable[..., Path], lock: str) -> None:
    used = folder("lock")
    (used / "state/lock").write_text("123\n")
    with (used / lock).open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        remove_abandoned()
        assert used.exists()
    remove_abandoned()
    assert not used.exists()


def test_what_has_just_begun_stays(folder: Callable[..., Path]) -> None:
    begun = [folder(None), folder("lock", written="")]
    remove_abandoned()
    assert all(one.exists() for one in begun)


PROGRAM = """
import asyncio, os, signal
from orchestrator import Orchestrator
async def main():
    async with Orchestrator.local():
        os.kill(os.getpid(), signal.SIGKILL)
asyncio.run(main())
"""


def test_a_program_that_is_killed_leaves_a_folder_that_the_next_one_removes(tmp_path: Path) -> None:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("AZURE_")}
    env = {**inherited, "TMPDIR": str(tmp_path), "XDG_STATE_HOME": str(tmp_path / "home")}

    def run(program: str) -> int:
        return subprocess.run([sys.executable, "-c", program], env=env, check=False, timeout=60).returncode

    assert run(PROGRAM) == -9
    (left,) = tmp_path.glob(f"{PREFIX}*")
    # Its service, a child, writes the blobs' data before it goes; until then it holds the folder.
    with (left / "state/lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
    assert run(PROGRAM.replace("os.kill(os.getpid(), signal.SIGKILL)", "pass")) == 0
    assert list(tmp_path.glob(f"{PREFIX}*")) == []
