"""The daemon inside of somebody else's program, as the examples have it."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

import aiohttp
import anyio
import pytest
from aiohttp import web

from orchestrator import Orchestrator
from orchestrator.daemon import DaemonConfig, setup_orchestrator
from orchestrator.daemon.config import DaemonLimits, ServiceConfig
from orchestrator.spec import parse_job
from tests.acceptance.daemon.daemons import job
from tests.flow.conftest import FAST
from tests.house.places import ROOT

PREFIX = "/orchestrator"


def example(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / f"examples/daemon/{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


async def served(app: web.Application) -> tuple[web.AppRunner, str]:
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    return runner, f"http://127.0.0.1:{runner.addresses[0][1]}"


async def ended(session: aiohttp.ClientSession, url: str, run_id: str) -> dict[str, Any]:
    """Wait for a run as any client can: its stream of events ends with it."""
    async with session.get(f"{url}{PREFIX}/v1/runs/{run_id}/events") as stream:
        await stream.read()
    async with session.get(f"{url}{PREFIX}/v1/runs/{run_id}") as answer:
        return dict(await answer.json())


def session_for(state: Path) -> aiohttp.ClientSession:
    token = (state / "write.token").read_text().strip()
    return aiohttp.ClientSession(headers={"Authorization": f"Bearer {token}"})


async def test_an_application_takes_jobs_below_its_prefix_and_ends_in_order(
    service: Path, tmp_path: Path
) -> None:
    app = web.Application()
    config = DaemonConfig(state_dir=str(tmp_path), service=ServiceConfig(env_file=str(service)), limits=FAST)
    setup_orchestrator(app, config, prefix=PREFIX)
    runner, url = await served(app)
    try:
        async with session_for(tmp_path) as session:
            async with session.post(f"{url}{PREFIX}/v1/runs", json={"job": job("echo hello")}) as answer:
                assert answer.status == 201
                assert answer.headers["Location"].startswith(f"{PREFIX}/v1/runs/")
                first = (await answer.json())["id"]
            # The stream's end comes just before the daemon has written the end down.
            assert (await ended(session, url, first))["phase"] in {"running", "finished"}
            async with session.post(f"{url}{PREFIX}/v1/runs", json={"job": job("sleep 0.5")}) as answer:
                second = (await answer.json())["id"]
    finally:
        await runner.cleanup()
    # What was under way when the application ended got its grace, and the next one knows how it went.
    app = web.Application()
    setup_orchestrator(app, config, prefix=PREFIX)
    runner, url = await served(app)
    try:
        async with session_for(tmp_path) as session:
            for run_id in (first, second):
                assert (await ended(session, url, run_id))["outcome"] == "succeeded"
    finally:
        await runner.cleanup()


async def test_what_the_grace_is_too_short_for_goes_on_at_the_next_start(
    service: Path, tmp_path: Path
) -> None:
    config = DaemonConfig(
        state_dir=str(tmp_path),
        service=ServiceConfig(env_file=str(service)),
        limits=FAST,
        daemon_limits=DaemonLimits(shutdown_grace=0.1),
    )
    app = web.Application()
    daemon = setup_orchestrator(app, config, prefix=PREFIX)
    runner, url = await served(app)
    try:
        async with session_for(tmp_path) as session:
            async with session.post(f"{url}{PREFIX}/v1/runs", json={"job": job("sleep 4")}) as answer:
                run_id = (await answer.json())["id"]
            async with session.get(f"{url}{PREFIX}/v1/runs/{run_id}/events") as stream:
                async for line in stream.content:
                    if line == b"event: TasksSubmitted\n":
                        break
    finally:
        await runner.cleanup()
    assert daemon.under_way == 0
    app = web.Application()
    daemon = setup_orchestrator(app, config, prefix=PREFIX)
    runner, url = await served(app)
    try:
        async with session_for(tmp_path) as session:
            assert (await ended(session, url, run_id))["phase"] in {"running", "finished"}
            job_run = daemon.desk.job_run(run_id)
            assert job_run is None or job_run.resumed
            with anyio.fail_after(30):
                await daemon.desk.until_idle()
            record = await daemon.desk.find(run_id)
            assert record.outcome == "succeeded"
    finally:
        await runner.cleanup()


async def test_the_embedded_example_answers_beside_its_own_pages(tmp_path: Path) -> None:
    runner, url = await served(example("embedded").make_app(str(tmp_path)))
    try:
        async with aiohttp.ClientSession() as session, session.get(url) as answer:
            assert "/orchestrator" in await answer.text()
        async with aiohttp.ClientSession() as session, session.get(f"{url}{PREFIX}/healthz") as answer:
            assert answer.status == 200
    finally:
        await runner.cleanup()


async def test_the_lifespan_example_opens_and_closes_an_orchestrator(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    async with example("lifespan").lifespan(None) as state:
        orchestrator: Orchestrator = state["orchestrator"]
        run = await orchestrator.submit(parse_job(job("true"), base_dir=tmp_path, where="job"))
        assert (await run.wait()).succeeded == 1
