"""What a measurement tells: one row, ours beside the peer and the limit, taken in turns in one run."""

from __future__ import annotations

import gc
import os
import platform
import statistics
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

import msgspec
from rich.console import Console
from rich.table import Table

FOLDER = Path("build/bench")


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One measured thing.

    Args:
        what: it is.
        unit: of the three figures; more is better where it ends in `/s`.
        ours: figure.
        peer: the same done the usual way; None where there is none.
        limit: the same by the least that could do it; None where there is none.
        target: what must be reached, in words.
        reached: whether it was.
        note: how it was counted.
    """

    what: str
    unit: str
    ours: float
    peer: float | None = None
    limit: float | None = None
    target: str = ""
    reached: bool | None = None
    note: str = ""

    def better_than(self, other: float | None) -> float | None:
        """How many times better ours is."""
        if other is None or not other or not self.ours:
            return None
        return self.ours / other if self.unit.endswith("/s") else other / self.ours


class Taken(msgspec.Struct, frozen=True):
    """Wall and CPU seconds of one way of doing something; medians over the rounds."""

    wall: float
    cpu: float


async def in_turns(ways: Mapping[str, Callable[[], Awaitable[None]]], rounds: int) -> dict[str, Taken]:
    """Take the time of several ways, one after the other, again and again.

    Neighbours on the machine then disturb all of them alike; and each begins a round in its turn, for whoever
    writes first may get memory and disk that nobody has warmed up.
    """
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    order = deque(ways.items())
    for _ in range(rounds):
        order.rotate(-1)
        for name, way in tuple(order):
            gc.collect()
            wall, cpu = time.perf_counter(), time.process_time()
            await way()
            taken[name].append((time.perf_counter() - wall, time.process_time() - cpu))
    return {
        name: Taken(statistics.median(wall for wall, _ in pairs), statistics.median(cpu for _, cpu in pairs))
        for name, pairs in taken.items()
    }


def show(name: str, rows: list[Row]) -> None:
    """Print a table, and write it as JSON."""
    table = Table("", "ours", "peer", "limit", "x peer", "x limit", "must reach", "", title=name)
    for row in rows:
        told = [_figure(value) for value in (row.ours, row.peer, row.limit)]
        ratios = [_figure(row.better_than(value)) for value in (row.peer, row.limit)]
        mark = {True: "reached", False: "MISSED", None: ""}[row.reached]
        table.add_row(f"{row.what} [{row.unit}]", *told, *ratios, row.target, mark)
    Console(width=150).print(table)
    for row in rows:
        if row.note:
            print(f"  {row.what}: {row.note}")
    FOLDER.mkdir(parents=True, exist_ok=True)
    whole = [
        {
            **msgspec.structs.asdict(row),
            "x_peer": row.better_than(row.peer),
            "x_limit": row.better_than(row.limit),
        }
        for row in rows
    ]
    machine = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores"
    python = f"Python {platform.python_version()}"
    told_whole = msgspec.json.encode({"machine": machine, "python": python, "rows": whole})
    path = FOLDER / f"{name}.json"
    path.write_bytes(msgspec.json.format(told_whole) + b"\n")
    print(path)


def _figure(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
