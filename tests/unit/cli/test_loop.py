"""Which event loop a program runs in."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

PROGRAM = """
import asyncio
from orchestrator.cli.loop import run

async def main():
    return type(asyncio.get_running_loop()).__name__

print(run(main()))
"""
FAST_LOOP = """
import asyncio

class FastLoop(asyncio.SelectorEventLoop):
    pass

new_event_loop = FastLoop
"""


def loop_with(uvloop: str, folder: Path) -> str:
    """The name of the loop's class where a module `uvloop` of that text is installed."""
    (folder / "uvloop.py").write_text(uvloop)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(folder), str(Path.cwd())])}
    command = [sys.executable, "-c", PROGRAM]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=True)
    return ended.stdout.strip()


def test_uvloop_is_taken_where_it_is_installed(tmp_path: Path) -> None:
    assert loop_with(FAST_LOOP, tmp_path) == "FastLoop"


def test_pythons_own_loop_does_without_it(tmp_path: Path) -> None:
    assert "FastLoop" not in loop_with("raise ImportError('not for this machine')", tmp_path)
