"""Waiting for what happens outside of the test's own process, with a limit."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import struct
import time
from collections.abc import Callable
from pathlib import Path

_LIMIT = 30.0
_PAUSE = 0.01


async def until(condition: Callable[[], object], what: str) -> None:
    """Look again and again until something holds; fails after half a minute."""
    deadline = time.monotonic() + _LIMIT
    while not condition():
        assert time.monotonic() < deadline, f"not within {_LIMIT:g} s: {what}"
        await asyncio.sleep(_PAUSE)


def alive(pid: int) -> bool:
    """Tell whether a process lives; an ended one that nobody waited for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in {"Z", "X"}
    except (FileNotFoundError, ProcessLookupError):
        return False


async def written_pid(path: Path) -> int:
    """Wait until a process has written its number into a file."""
    await until(lambda: _text(path).endswith("\n"), f"a process id in {path}")
    return int(_text(path))


def processes() -> list[Path]:
    """Give the folders of all living processes."""
    return [path for path in Path("/proc").iterdir() if path.name.isdigit() and alive(int(path.name))]


def running_with(argument: str) -> list[int]:
    """Give the processes that have an argument."""
    argument = f"\0{argument}\0"
    return [int(path.name) for path in processes() if argument in f"\0{_text(path / 'cmdline')}"]


def descendants(pid: int) -> set[int]:
    """Give all living processes below one."""
    stats = {int(path.name): _text(path / "stat").rpartition(")")[2].split() for path in processes()}
    parents = {child: int(stat[1]) for child, stat in stats.items() if stat}
    found: set[int] = set()
    while more := {child for child, parent in parents.items() if parent in found | {pid}} - found:
        found |= more
    return found


def listeners(pid: int) -> set[tuple[str, int]]:
    """Give address and port of every socket on which a process or one below it listens, IPv4 and IPv6."""
    held = set()
    for one in {pid} | descendants(pid):
        with contextlib.suppress(OSError):  # it may just have ended
            for descriptor in Path(f"/proc/{one}/fd").iterdir():
                with contextlib.suppress(OSError):  # it may just have been closed, as that of this very list
                    held.add(str(descriptor.readlink()))
    found = set()
    for table in (Path("/proc/net/tcp"), Path("/proc/net/tcp6")):
        for fields in map(str.split, _text(table).splitlines()[1:]):
            if fields[3] == "0A" and f"socket:[{fields[9]}]" in held:
                address, _, port = fields[1].partition(":")
                # The kernel prints each four bytes as a number of this machine.
                words = struct.unpack(f">{len(address) // 8}I", bytes.fromhex(address))
                packed = struct.pack(f"={len(words)}I", *words)
                found.add((str(ipaddress.ip_address(packed)), int(port, 16)))
    return found


def _text(path: Path) -> str:
    """Read what may just have gone."""
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""
