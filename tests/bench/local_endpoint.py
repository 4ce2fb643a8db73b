"""The local service's Batch endpoint in a process of its own, without blobs.

    python -m tests.bench.local_endpoint FOLDER [--kept] [--isolate-users]

It prints its address, and ends when its input is closed.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from orchestrator.cli.logs import configure_logs
from orchestrator.local.batch.endpoint import BatchEndpoint
from orchestrator.local.batch.node import NodeProcess
from tests.conformance.clients import ACCOUNT, KEY

_END_LIMIT = 60.0


@dataclass(frozen=True)
class Running:
    """The process, as seen by a measurement."""

    url: str
    pid: int

    def most_memory(self) -> int:
        """The most that it ever held, in bytes."""
        told = Path(f"/proc/{self.pid}/status").read_text()
        found = re.search(r"VmHWM:\s+(\d+) kB", told)
        assert found is not None
        return int(found[1]) * 1024


@contextmanager
def running(folder: Path, *, kept: bool, isolate_users: bool = False) -> Iterator[Running]:
    """A running endpoint.

    Args:
        folder: for all of its files.
        kept: whether tasks are kept in a state file, or in memory only.
        isolate_users: whether tasks run as users of their own, for which we have to be root.
    """
    options = [*(["--kept"] if kept else []), *(["--isolate-users"] if isolate_users else [])]
    command = [sys.executable, "-m", "tests.bench.local_endpoint", str(folder), *options]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield Running(process.stdout.readline().strip(), process.pid)
    finally:
        process.stdin.close()
        process.wait(_END_LIMIT)


async def serve(folder: Path, *, kept: bool, isolate_users: bool) -> None:
    """Serve until the parent closes our input."""
    endpoint = BatchEndpoint(
        account_name=ACCOUNT,
        account_key=KEY,
        data_dir=folder,
        start_node=partial(NodeProcess.start, isolate_users=isolate_users),
        state_file=folder / "state.sqlite" if kept else None,
    )
    await endpoint.start()
    print(endpoint.url, flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    await endpoint.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--kept", action="store_true")
    parser.add_argument("--isolate-users", action="store_true")
    arguments = parser.parse_args()
    configure_logs()
    asyncio.run(serve(arguments.folder, kept=arguments.kept, isolate_users=arguments.isolate_users))
