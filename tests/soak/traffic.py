"""Seeded jobs on simulated nodes, and a client that hands them in over few connections."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

from tests.acceptance.daemon.daemons import JOB, Daemon
from tests.soak.readings import figures

SIMULATED = {"metadata": [{"name": "orchestrator:simulated", "value": "true"}]}
_LIMIT = 120.0
_PAUSE = 0.2


def simulated(
    tasks: int,
    *,
    seconds: float,
    failing: int = 0,
    nodes: int = 1,
    slots: int = 4,
    logs: str = "always",
    **changes: Any,
) -> dict[str, Any]:
    """A job whose tasks only pretend to run.

    Args:
        seconds: that each task takes.
        failing: how many of them end with exit code 3.
        logs: which of them are asked for, though nothing is there.
    """
    pool = {**JOB["pool"], "target_dedicated_nodes": nodes, "task_slots_per_node": slots, "rest": SIMULATED}
    commands = [
        f"simulate --seconds {seconds} --exit-code {3 if number < failing else 0}" for number in range(tasks)
    ]
    made = [
        {"id": f"t-{number}", "command_line": command, "shell": False, "logs": logs}
        for number, command in enumerate(commands)
    ]
    return {**JOB, "pool": pool, "tasks": made, **changes}


def any_job(source: random.Random, shared_input: str | None = None) -> tuple[dict[str, Any], str]:
    """A small job, and the outcome that it must come to."""
    tasks = source.randint(1, 20)
    failing = source.choice((0, 0, 0, 1))
    changes: dict[str, Any] = {}
    if shared_input is not None:
        # Staged for a task of its own: the nodes only pretend, but the upload is real.
        command = "simulate --seconds 0.01 --exit-code 0"
        changes["task_factory"] = {"per_file": shared_input, "command_line": command, "shell": False}
    job = simulated(tasks, seconds=source.uniform(0.0, 0.5), failing=failing, **changes)
    return job, "tasks_failed" if failing else "succeeded"


class Client:
    """Asks a daemon, and asks again after a death of it; made by `client_of`."""

    def __init__(self, daemon: Daemon, session: aiohttp.ClientSession) -> None:
        self._daemon = daemon
        self.session = session

    def url(self, path: str) -> str:
        """Where the daemon is now: after a restart the port may be another."""
        return (self._daemon.state / "address").read_text().strip() + path

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._daemon.token()}"}

    async def ask(self, method: str, path: str, **options: Any) -> tuple[int, bytes]:
        """A request: its status, and the body of the answer."""
        headers = {**self.headers, **options.pop("headers", {})}
        async with self.session.request(method, self.url(path), headers=headers, **options) as answer:
            return answer.status, await answer.read()

    async def submit(self, job: dict[str, Any], key: str, **query: Any) -> str:
        """Hand in a job until it is answered, under one key: the run's id."""
        deadline = time.monotonic() + _LIMIT
        while True:
            try:
                status, body = await self.ask(
                    "POST", "/v1/runs", json={"job": job}, headers={"Idempotency-Key": key}, params=query
                )
            except (aiohttp.ClientError, OSError, TimeoutError):
                assert time.monotonic() < deadline, "the daemon does not come back"
                await asyncio.sleep(_PAUSE)
                continue
            if status in {200, 201}:
                return str(json.loads(body)["id"])
            assert status == 503, body
            assert time.monotonic() < deadline, body
            await asyncio.sleep(_PAUSE)

    async def views(self) -> list[dict[str, Any]]:
        """All runs, newest first."""
        found: list[dict[str, Any]] = []
        after: dict[str, str] = {}
        while True:
            status, body = await self.ask("GET", "/v1/runs", params={"limit": "500", **after})
            assert status == 200, body
            page = json.loads(body)
            found += page["runs"]
            if page["next"] is None:
                return found
            after = {"after": page["next"]}

    async def metrics(self) -> dict[str, float]:
        """What the daemon counts."""
        status, body = await self.ask("GET", "/metrics")
        assert status == 200, body
        return figures(body)

    async def all_over(self, wanted: int, *, within: float) -> list[dict[str, Any]]:
        """Wait until so many runs are there and over: all of them."""
        deadline = time.monotonic() + within
        while True:
            views = await self.views()
            left = [view["id"] for view in views if view["phase"] != "finished"]
            if not left and len(views) >= wanted:
                return views
            assert time.monotonic() < deadline, (
                f"{len(left)} of {len(views)} not over within {within:g} s: {left[:5]}"
            )
            await asyncio.sleep(1)


@asynccontextmanager
async def client_of(daemon: Daemon) -> AsyncIterator[Client]:
    """A client that keeps its connections."""
    timeout = aiohttp.ClientTimeout(total=_LIMIT)
    async with aiohttp.ClientSession(timeout=timeout) as session:
        yield Client(daemon, session)


def input_file(folder: Path) -> Path:
    """The input that all runs share."""
    folder.mkdir(exist_ok=True)
    path = folder / "shared.txt"
    path.write_text("the same for all\n" * 1000)
    return path
