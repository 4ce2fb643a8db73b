"""What a process holds, as the system and its own figures tell."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec

_FIGURE = re.compile(rb"^([a-zA-Z_:][\w:]*(?:\{[^}]*\})?) (\S+)$", re.MULTILINE)
_KIB = 1024
_NANO = 1e9


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """What a process holds at a moment.

    Args:
        memory: resident, in bytes.
        handles: open files and sockets.
        threads: of the process.
        worked: seconds of CPU that its main thread has had.
        waited: seconds for which that thread was ready to go on, and the machine was busy with others.
    """

    memory: int
    handles: int
    threads: int
    worked: float
    waited: float


def read(pid: int) -> Reading:
    """Look at a process."""
    folder = Path(f"/proc/{pid}")
    fields = dict(line.split(":", 1) for line in (folder / "status").read_text().splitlines() if ":" in line)
    worked, waited, _ = (folder / "schedstat").read_text().split()
    return Reading(
        memory=int(fields["VmRSS"].split()[0]) * _KIB,
        handles=sum(1 for _ in (folder / "fd").iterdir()),
        threads=int(fields["Threads"]),
        worked=int(worked) / _NANO,
        waited=int(waited) / _NANO,
    )


def figures(exposition: bytes) -> dict[str, float]:
    """The figures of `/metrics`, by their names with labels."""
    return {name.decode(): float(value) for name, value in _FIGURE.findall(exposition)}


def total(found: dict[str, float], prefix: str) -> float:
    """The sum of the figures whose names begin so."""
    return sum(value for name, value in found.items() if name.startswith(prefix))


def share(values: list[float], of: float) -> float:
    """The value below which so large a share of them lies.

    Args:
        values: at least one.
        of: from 0 to 1.
    """
    return sorted(values)[min(int(len(values) * of), len(values) - 1)]


def jain(values: list[float]) -> float:
    """Jain's index of fairness: 1 where all have the same, 1/n where one has all.

    Source: R. Jain, D. Chiu, W. Hawe, "A quantitative measure of fairness", DEC-TR-301, 1984.
    """
    squares = sum(value * value for value in values)
    return sum(values) ** 2 / (len(values) * squares) if squares else 1.0


def tell(text: str) -> None:
    """Say what was measured: `pytest -s` shows it."""
    print(f"\n{text}")
