"""A run that can't be taken up when the daemon starts is not given up."""

from __future__ import annotations

from pathlib import Path

import anyio
from aiohttp import web

from orchestrator.daemon import DaemonConfig, setup_orchestrator
from orchestrator.daemon.config import DaemonLimits, ServiceConfig
from orchestrator.daemon.records import Phase
from orchestrator.journal import Journal
from tests.acceptance.daemon.daemons import job
from tests.flow.conftest import FAST
from tests.flow.daemon.test_embedding import PREFIX, served, session_for


async def test_a_run_that_another_program_holds_is_taken_up_once_it_lets_go(
    service: Path, tmp_path: Path
) -> None:
    config = DaemonConfig(
        state_dir=str(tmp_path),
        service=ServiceConfig(env_file=str(service)),
        limits=FAST,
        daemon_limits=DaemonLimits(shutdown_grace=0.1, account_check_interval=0.1),
    )
    app = web.Application()
    setup_orchestrator(app, config, prefix=PREFIX)
    runner, url = await served(app)
    try:
        async with session_for(tmp_path) as session:
            async with session.post(f"{url}{PREFIX}/v1/runs", json={"job": job("sleep 1")}) as answer:
                run_id = (await answer.json())["id"]
            async with session.get(f"{url}{PREFIX}/v1/runs/{run_id}/events") as stream:
                async for line in stream.content:
                    if line == b"event: TasksSubmitted\n":
                        break
    finally:
        await runner.cleanup()
    journal = await Journal.open(tmp_path / "journal.sqlite")
    app = web.Application()
    daemon = setup_orchestrator(app, config, prefix=PREFIX)
    try:
        hold = await journal.hold(run_id)
        runner, url = await served(app)
        try:
            assert (await daemon.desk.find(run_id)).phase is Phase.RUNNING
            assert daemon.desk.job_run(run_id) is None
            hold.release()
            with anyio.fail_after(30):
                while (await daemon.desk.find(run_id)).phase is not Phase.FINISHED:
                    await anyio.lowlevel.checkpoint()
            assert (await daemon.desk.find(run_id)).outcome == "succeeded"
        finally:
            await runner.cleanup()
    finally:
        await journal.close()
