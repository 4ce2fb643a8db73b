"""Row `import`: what a program pays before its first line, in fresh interpreters."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

from tests.bench.row import Row

_WAYS = {
    "ours": "import orchestrator",
    "ours, used": "from orchestrator import Orchestrator, JobSpec, TaskFactory, Limits",
    "nothing": "",
    "sdk": "import azure.batch.aio, azure.storage.blob.aio",
}
_RUNS = 5


def run(code: str) -> float:
    """Seconds of a fresh interpreter."""
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True)
    return time.perf_counter() - began


async def measure(rounds: int) -> list[Row]:
    """All rows of this file."""
    taken: dict[str, list[float]] = {name: [] for name in _WAYS}
    for _ in range(rounds * _RUNS):
        for name, code in _WAYS.items():
            taken[name].append(run(code))
    least = {name: statistics.median(times) for name, times in taken.items()}
    return [
        Row(
            what=f"import, {_WAYS[name]}",
            unit="s",
            ours=least[name],
            peer=least["sdk"],
            limit=least["nothing"],
            target="< 1.2 x the SDKs",
            reached=least[name] < 1.2 * least["sdk"],
        )
        for name in ("ours", "ours, used")
    ]
