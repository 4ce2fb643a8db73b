"""Runs begin several at once: one whose files are slow to read keeps nobody in line."""

from __future__ import annotations

import os
from pathlib import Path

import aiohttp
import anyio
import anyio.to_thread
from aiohttp import web

from orchestrator.daemon import DaemonConfig, setup_orchestrator
from orchestrator.daemon.config import DaemonLimits, ServiceConfig
from orchestrator.daemon.records import Phase
from tests.acceptance.daemon.daemons import job
from tests.flow.conftest import FAST
from tests.flow.daemon.test_embedding import PREFIX, ended, served, session_for

LIMIT = 60


async def post(session: aiohttp.ClientSession, url: str, wanted: object) -> str:
    async with session.post(f"{url}{PREFIX}/v1/runs", json={"job": wanted}) as answer:
        assert answer.status == 201, await answer.text()
        return str((await answer.json())["id"])


async def write(pipe: Path) -> None:
    await anyio.to_thread.run_sync(pipe.write_text, "word")


async def test_a_run_that_is_long_in_beginning_keeps_no_other_from_it(service: Path, tmp_path: Path) -> None:
    """A secret in a named pipe: each reading of it waits until somebody writes."""
    pipe = tmp_path / "secret"
    os.mkfifo(pipe)
    secret = {"secret": f"file:{pipe}"}
    task = {"id": "t", "command_line": "true", "environment": {"WORD": secret}}
    config = DaemonConfig(
        state_dir=str(tmp_path / "state"),
        service=ServiceConfig(env_file=str(service)),
        limits=FAST,
        allowed_secrets=(secret["secret"],),
        daemon_limits=DaemonLimits(begins=2),
    )
    app = web.Application()
    daemon = setup_orchestrator(app, config, prefix=PREFIX)
    runner, url = await served(app)
    try:
        with anyio.fail_after(LIMIT):
            async with session_for(tmp_path / "state") as session:
                async with anyio.create_task_group() as group:
                    # Read when the run is accepted: a first time.
                    group.start_soon(write, pipe)
                    slow = await post(session, url, {**job(), "tasks": [task]})
                quick = await post(session, url, job("true"))
                async with session.get(f"{url}{PREFIX}/v1/runs/{quick}/events") as stream:
                    await stream.read()
                assert (await daemon.desk.find(slow)).phase is Phase.RUNNING
                assert daemon.desk.job_run(slow) is None
                # Whoever waits at the old pipe is answered by it, and all later readers find a file.
                waiting = os.open(pipe, os.O_RDWR)
                plain = tmp_path / "plain"
                plain.write_text("word")
                plain.replace(pipe)
                os.write(waiting, b"word")
                os.close(waiting)
                await ended(session, url, slow)
                await daemon.desk.until_idle()
                for run_id in (slow, quick):
                    assert (await daemon.desk.find(run_id)).outcome == "succeeded"
    finally:
        await runner.cleanup()
