"""Rows `starting`: `/bin/true` as tasks, eight at a time, beside bare `posix_spawn`, in turns."""

from __future__ import annotations

import asyncio
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import aiohttp
import anyio

from orchestrator.local.batch.execution import Execution
from orchestrator.local.batch.node import NodeProcess
from orchestrator.local.settings import LocalSettings, read_env_file
from tests.acceptance.program import Running
from tests.bench.row import Row
from tests.conformance.clients import RawClient, job_body, pool_body

_SLOTS = 8
_AT_ONCE = 400
_LIMIT = 120.0
_LOOK_EVERY = 0.02

_BARE = """
import os, sys, time
count, slots = int(sys.argv[1]), int(sys.argv[2])
null = [(os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0)]
began = time.perf_counter()
for number in range(count):
    if number >= slots:
        os.waitpid(-1, 0)
    os.posix_spawn("/bin/true", ["true"], {}, file_actions=null, setsid=True)
for _ in range(min(count, slots)):
    os.waitpid(-1, 0)
print(count / (time.perf_counter() - began))
"""


def bare() -> float:
    """The least that could do it: as many processes at a time, from a process as small as a node's agent."""
    command = [sys.executable, "-I", "-S", "-c", _BARE, str(_AT_ONCE), str(_SLOTS)]
    return float(subprocess.run(command, check=True, capture_output=True, timeout=_LIMIT).stdout)


class Agent:
    """One node's agent, without the service around it."""

    def __init__(self, node: NodeProcess) -> None:
        self._node = node
        self._turn = 0

    async def rate(self) -> float:
        """Run a turn; gives tasks a second."""
        self._turn += 1
        names = iter([f"{self._turn}-{number}" for number in range(_AT_ONCE)])

        async def worker() -> None:
            for name in names:
                execution = Execution(
                    execution_id=name, command_line="/bin/true", directory=f"workitems/job/job-1/{name}"
                )
                outcome = await self._node.execute(execution, on_started=lambda _: None)
                if not outcome.succeeded:
                    raise AssertionError(f"not what was asked for: {outcome}")

        began = time.perf_counter()
        await asyncio.gather(*(worker() for _ in range(_SLOTS)))
        return _AT_ONCE / (time.perf_counter() - began)


class Service:
    """A whole service with one node, in a process of its own."""

    def __init__(self, client: RawClient) -> None:
        self._client = client
        self._turn = 0

    async def rate(self) -> float:
        """Run a turn: the tasks are there already when their job is enabled."""
        self._turn += 1
        job = f"turn-{self._turn}"
        await self._client.post("/jobs", job_body(job))
        await self._client.post(f"/jobs/{job}/disable", {"disableTasks": "requeue"})
        await self._client.job_in("disabled", job)
        for first in range(0, _AT_ONCE, 100):
            tasks = [{"id": f"t-{first + number}", "commandLine": "/bin/true"} for number in range(100)]
            await self._client.post(f"/jobs/{job}/addtaskcollection", {"value": tasks})
        began = time.perf_counter()
        await self._client.post(f"/jobs/{job}/enable")
        with anyio.fail_after(_LIMIT):
            while await self._completed(job) < _AT_ONCE:  # noqa: ASYNC110  # a service has no event to wait for
                await anyio.sleep(_LOOK_EVERY)
        return _AT_ONCE / (time.perf_counter() - began)

    async def _completed(self, job: str) -> int:
        counts = await self._client.get(f"/jobs/{job}/taskcounts")
        return int(counts["taskCounts"]["succeeded"])


@contextmanager
def folder_in_memory() -> Iterator[Path]:
    # In memory where that is to be had: where much was just deleted, ext4 takes ten times as long to make a
    # task's four files, and the rows would tell of nothing else.
    memory = Path("/dev/shm")
    place = memory if os.access(memory, os.W_OK) else None
    with tempfile.TemporaryDirectory(dir=place) as name:
        folder = Path(name)
        folder.chmod(0o755)  # for tasks with users of their own
        yield folder


@asynccontextmanager
async def _agent(root: Path, *, isolate_users: bool) -> AsyncIterator[Agent]:
    node = await NodeProcess.start(root, isolate_users=isolate_users)
    try:
        yield Agent(node)
    finally:
        await node.close()


@asynccontextmanager
async def _service(folder: Path) -> AsyncIterator[Service]:
    env_file = folder / "settings.env"
    with Running("local", "--state-dir", folder / "state", "--env-file", env_file, home=folder) as running:
        if await asyncio.to_thread(running.line) != "ready":
            raise AssertionError(f"no service: {running.end()}")
        settings = LocalSettings.from_environment(read_env_file(env_file))
        async with aiohttp.ClientSession() as session:
            client = RawClient(session, settings.batch_endpoint, key=settings.batch_key)
            await client.post("/pools", pool_body(targetDedicatedNodes=1, taskSlotsPerNode=_SLOTS))
            await client.nodes_in("idle", 1)
            yield Service(client)
        running.signal(signal.SIGTERM)
        await asyncio.to_thread(running.end)


async def measure(rounds: int) -> list[Row]:
    """All rows of this file."""
    root = os.geteuid() == 0
    rates: dict[str, list[float]] = {"bare": [], "agent": [], "users": [], "service": []}
    with folder_in_memory() as folder:
        async with (
            _agent(folder / "agent", isolate_users=False) as agent,
            _agent(folder / "users", isolate_users=root) as users,
            _service(folder) as service,
        ):
            for _ in range(rounds):
                for name, way in (("agent", agent), ("users", users), ("service", service)):
                    rates["bare"].append(await asyncio.to_thread(bare))
                    rates[name].append(await way.rate())
                rates["bare"].append(await asyncio.to_thread(bare))
    found = {name: statistics.median(values) for name, values in rates.items()}
    rows = [
        ("node agent", "agent", 0.4),
        ("node agent, users of their own", "users", 0.2),
        ("whole service, its journal included", "service", 0.4),
    ]
    return [
        Row(
            what=what,
            unit="tasks/s",
            ours=found[name],
            limit=found["bare"],
            target=f">= {least} x bare posix_spawn",
            reached=found[name] >= least * found["bare"],
            note=f"/bin/true, {_SLOTS} slots, {folder.parent}",
        )
        for what, name, least in rows
        if name != "users" or root
    ]
