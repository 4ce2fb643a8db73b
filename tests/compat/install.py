"""`python -m tests.compat.install`: bring other people's clients to this machine, outside `.venv`.

What is there, whole and up to date is left alone; anything else is made anew. Everything comes from lock
files with checksums through the ordinary clients, pip and npm, with the user's own settings of both. Only
the standard library is used. Any number may run at once: one installs, the others wait.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import subprocess
import sys
import time
import venv
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Final

from tests.compat.clients import CLI, JAVASCRIPT, PLACE, SDK_14, Installation, PythonClients
from tests.compat.node import Node, NodeMissingError, find_node

_LIMIT: Final = 1200.0
"""Seconds for one installation; the command line's 700 MiB were measured at 26, on a busy machine more."""

_TOLD_LINES: Final = 12


class InstallError(RuntimeError):
    """A client could not be installed; the message ends with what pip or npm said."""


def main() -> int:
    """Install what is missing.

    Returns:
        The exit code: 0 if every client is there, 1 if not.
    """
    try:
        PLACE.mkdir(exist_ok=True)
        (PLACE / ".gitignore").write_text("*\n")  # for git, and for the tools that look where it looks
        with _alone(PLACE / "lock"):
            for clients in (CLI, SDK_14):
                _ensure(clients, PythonClients.tool(), partial(_install_python, clients))
            node = find_node()
            _ensure(JAVASCRIPT, node.version, partial(_install_javascript, JAVASCRIPT, node))
    except (InstallError, NodeMissingError, OSError, subprocess.CalledProcessError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def _ensure(clients: Installation, tool: str, install: Callable[[], None]) -> None:
    if clients.stands(tool):
        return
    began = time.monotonic()
    sys.stdout.write(f"{clients.name}: installing into {clients.folder}\n")
    sys.stdout.flush()
    if clients.folder.exists():
        shutil.rmtree(clients.folder)
    install()
    clients.stamp.write_text(clients.wanted(tool))
    sys.stdout.write(f"{clients.name}: installed in {time.monotonic() - began:.0f} s\n")


def _install_python(clients: PythonClients) -> None:
    venv.create(clients.folder, with_pip=True)
    # Not compiled: of the command line's tens of thousands of modules only a few hundred are ever imported.
    # Wheels only: what is built would bring tools that no checksum covers.
    quietly = ("--quiet", "--disable-pip-version-check", "--no-input")
    exactly = ("--no-compile", "--require-hashes", "--only-binary", ":all:")
    _run(
        (clients.python, "-m", "pip", "install", *quietly, *exactly, "--requirement", clients.requirements),
        cwd=clients.folder,
        environment=os.environ,
    )


def _install_javascript(clients: Installation, node: Node) -> None:
    clients.folder.mkdir()
    for path in clients.sources:
        shutil.copy(path, clients.folder)
    search = os.pathsep.join((str(node.program.parent), os.environ.get("PATH", os.defpath)))
    options = ("--omit=dev", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")
    _run(
        (node.program, node.npm, "ci", *options),
        cwd=clients.folder,
        environment={**os.environ, "PATH": search, "NODE_DISABLE_COMPILE_CACHE": "1"},
    )


def _run(command: Sequence[str | Path], *, cwd: Path, environment: Mapping[str, str]) -> None:
    try:
        done = subprocess.run(
            command,
            cwd=cwd,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=_LIMIT,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise InstallError(f"{command[0]} did not end within {_LIMIT:g} s") from error
    if done.returncode != 0:
        told = "\n".join(done.stdout.decode(errors="replace").strip().splitlines()[-_TOLD_LINES:])
        raise InstallError(f"{command[0]} could not install (exit code {done.returncode}):\n{told}")


@contextlib.contextmanager
def _alone(path: Path) -> Iterator[None]:
    # The file stays: removing it would let two hold "the" lock, on two files.
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


if __name__ == "__main__":
    sys.exit(main())
