"""A local service of our own, held to its limits."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from orchestrator import Limits, LocalServiceError, Orchestrator
from orchestrator.local import LocalService
from tests.acceptance.program import processes_with


async def test_a_service_that_does_not_answer_in_time_is_an_error_and_leaves_no_process(
    tmp_path: Path,
) -> None:
    orchestrator = Orchestrator.local(
        state_dir=tmp_path / "service",
        environ={},
        limits=Limits(service_start_timeout=0.001, service_stop_timeout=5),
        journal_dir=tmp_path / "journal",
    )
    with pytest.raises(LocalServiceError, match=r"did not answer in 0.001 s"):
        async with orchestrator:
            pass
    assert processes_with(str(tmp_path)) == []


async def test_settings_of_a_service_that_has_ended_are_told_at_once_and_named(tmp_path: Path) -> None:
    env_file = tmp_path / "service.env"
    async with LocalService() as service:
        service.settings.write_env_file(env_file)
    orchestrator = Orchestrator.local(environ={}, env_file=env_file, journal_dir=tmp_path / "journal")
    with pytest.raises(LocalServiceError, match=rf"{env_file} names.*start `orchestrator local` again"):
        async with asyncio.timeout(10), orchestrator:
            pass
