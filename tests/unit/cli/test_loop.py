"""Which event loop a program runs in."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

PROGRAM = """
import asyncio
import sys
from orchestrator.cli.loop import run

async def main():
    return " ".join(base.__name__ for base in type(asyncio.get_running_loop()).__mro__)

print(run(main(), prompt=sys.argv[1] == "prompt"))
"""
FAST_LOOP = """
import asyncio

class Loop(asyncio.SelectorEventLoop):
    pass
"""


def loop_with(uvloop: str, folder: Path, kind: str = "plain") -> list[str]:
    """The names of the loop's class and of its bases where a module `uvloop` of that text is installed."""
    (folder / "uvloop.py").write_text(uvloop)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(folder), str(Path.cwd())])}
    command = [sys.executable, "-c", PROGRAM, kind]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=True)
    return ended.stdout.split()


def test_uvloop_is_taken_where_it_is_installed(tmp_path: Path) -> None:
    assert loop_with(FAST_LOOP, tmp_path)[0] == "Loop"


def test_where_somebody_asks_it_is_prompt_too(tmp_path: Path) -> None:
    assert loop_with(FAST_LOOP, tmp_path, "prompt")[:3] == ["FastPromptLoop", "PromptSteps", "Loop"]


def test_pythons_own_loop_does_without_it(tmp_path: Path) -> None:
    absent = "raise ImportError('not for this machine')"
    assert loop_with(absent, tmp_path)[0] == "_UnixSelectorEventLoop"
    assert loop_with(absent, tmp_path, "prompt")[0] == "PromptLoop"
