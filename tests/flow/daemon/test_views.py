"""What is shown of a run while its end comes between the reading of its record and the showing."""

from __future__ import annotations

from pathlib import Path

import anyio
from aiohttp import web

from orchestrator.daemon import DaemonConfig, setup_orchestrator
from orchestrator.daemon.config import DaemonLimits, ServiceConfig
from orchestrator.daemon.records import Phase
from tests.acceptance.daemon.daemons import job
from tests.flow.conftest import FAST
from tests.flow.daemon.test_embedding import PREFIX, ended, served, session_for

LIMIT = 60


async def test_a_run_that_has_ended_is_shown_so_though_its_record_was_read_before(
    service: Path, tmp_path: Path
) -> None:
    app = web.Application()
    config = DaemonConfig(state_dir=str(tmp_path), service=ServiceConfig(env_file=str(service)), limits=FAST)
    daemon = setup_orchestrator(app, config, prefix=PREFIX)
    runner, url = await served(app)
    try:
        with anyio.fail_after(LIMIT):
            async with session_for(tmp_path) as session:
                runs: list[str] = []
                for _ in range(2):
                    async with session.post(f"{url}{PREFIX}/v1/runs", json={"job": job("true")}) as answer:
                        runs.append((await answer.json())["id"])
                read = [await daemon.intake.get(run_id) for run_id in runs]
                records = tuple(record for record in read if record is not None)
                assert all(record.phase is not Phase.FINISHED for record in records)
                for run_id in runs:
                    await ended(session, url, run_id)
                await daemon.desk.until_idle()
                shown = await daemon.desk.current(records)
                assert [(record.run_id, record.phase) for record in shown] == [
                    (run_id, Phase.FINISHED) for run_id in runs
                ]
                await daemon.desk.forget(runs[0])
                assert [record.run_id for record in await daemon.desk.current(records)] == runs[1:]
    finally:
        await runner.cleanup()


async def test_a_run_is_never_shown_without_progress_once_it_had_some(service: Path, tmp_path: Path) -> None:
    app = web.Application()
    config = DaemonConfig(
        state_dir=str(tmp_path),
        service=ServiceConfig(env_file=str(service)),
        limits=FAST,
        daemon_limits=DaemonLimits(requests_per_second=100_000, request_burst=100_000),
    )
    setup_orchestrator(app, config, prefix=PREFIX)
    runner, url = await served(app)
    seen: list[tuple[str, bool]] = []
    try:
        async with session_for(tmp_path) as session:
            async with session.post(f"{url}{PREFIX}/v1/runs", json={"job": job("true")}) as answer:
                run_id = (await answer.json())["id"]

            async def watch() -> None:
                while not seen or seen[-1][0] != Phase.FINISHED:
                    async with session.get(f"{url}{PREFIX}/v1/runs") as answer:
                        (view,) = (await answer.json())["runs"]
                        seen.append((view["phase"], view["progress"] is not None))

            with anyio.fail_after(LIMIT):
                async with anyio.create_task_group() as group:
                    group.start_soon(watch)
                    await ended(session, url, run_id)
    finally:
        await runner.cleanup()
    began = seen.index((Phase.RUNNING, True))
    assert (Phase.RUNNING, False) not in seen[began:]
