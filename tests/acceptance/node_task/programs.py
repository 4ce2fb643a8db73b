"""The program as processes: as a module, from a zip, with any interpreter."""

from __future__ import annotations

import asyncio
import os
import sys
import zipfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import node_task

PACKAGE = Path(node_task.__file__).parent
LIMIT = 60.0
"""Seconds that a process may take before the test fails."""


@dataclass(frozen=True)
class Ended:
    """How a process ended."""

    exit_code: int
    stdout: str
    stderr: str


@asynccontextmanager
async def started(
    *arguments: str | bytes, cwd: Path, environ: Mapping[str, str] | None = None, python: str = sys.executable
) -> AsyncIterator[asyncio.subprocess.Process]:
    """Starts Python with nothing in the environment but PATH, the package's place and what is given."""
    process = await asyncio.create_subprocess_exec(
        python,
        "-W",
        "error",
        *arguments,
        cwd=cwd,
        env={"PATH": os.defpath, "PYTHONPATH": str(PACKAGE.parent), **(environ or {})},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def end_of(process: asyncio.subprocess.Process) -> Ended:
    """Waits until a process ends, and no longer than LIMIT."""
    stdout, stderr = await asyncio.wait_for(process.communicate(), LIMIT)
    assert process.returncode is not None
    return Ended(exit_code=process.returncode, stdout=stdout.decode(), stderr=stderr.decode())


async def run(
    *arguments: str | bytes, cwd: Path, environ: Mapping[str, str] | None = None, python: str = sys.executable
) -> Ended:
    """Runs Python until it ends."""
    async with started(*arguments, cwd=cwd, environ=environ, python=python) as process:
        return await end_of(process)


def names_in(folder: Path) -> set[str]:
    """What is in a folder."""
    return {entry.name for entry in folder.iterdir()}


async def topwords(
    file: str | bytes, *options: str, cwd: Path, environ: Mapping[str, str] | None = None
) -> Ended:
    """Runs ``python -m node_task topwords FILE --numwords 3``."""
    return await run(
        "-m", "node_task", "topwords", file, "--numwords", "3", *options, cwd=cwd, environ=environ
    )


def zipped(folder: Path) -> Path:
    """Packs the package as the orchestrator does: a ``__main__.py`` at the root, the package below it."""
    archive = folder / "node_task.pyz"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("__main__.py", "from node_task.__main__ import main\nimport sys\nsys.exit(main())\n")
        for source in sorted(PACKAGE.rglob("*.py")):
            file.write(source, f"node_task/{source.relative_to(PACKAGE).as_posix()}")
    return archive
