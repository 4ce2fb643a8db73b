"""The addresses in tasks are added once and for all, and work for as long as the run lives."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import anyio
import msgspec
import pytest
from azure.batch.aio import BatchClient

from orchestrator import (
    JobResult,
    JobRun,
    JobSpec,
    Limits,
    Orchestrator,
    RunOutcome,
    SubmissionCompleted,
    TaskFailed,
)
from tests.conformance.accounts.addresses import until_opens
from tests.flow.conftest import FAST
from tests.flow.test_main_job import batch_client

Make = Callable[..., JobSpec]


class LongRun:
    """Two tasks and one slot: the second is not begun before the first is let go.

    Args:
        service: the settings file of the local service.
        folder: of the files, and of the journal.
        limits: of the orchestrator.
    """

    def __init__(self, service: Path, folder: Path, limits: Limits) -> None:
        self._service = service
        self._folder = folder
        self._gate = folder / "gate"
        self._added = anyio.Event()
        self.failed: dict[str, TaskFailed] = {}
        self.orchestrator = Orchestrator.local(
            env_file=service, limits=limits, journal_dir=folder / "journal"
        )
        self.orchestrator.on(SubmissionCompleted, lambda _: self._added.set())
        self.orchestrator.on(TaskFailed, lambda event: self.failed.update({event.key.task_id: event}))

    def job(self, job: Make) -> JobSpec:
        """The job; its input is there."""
        (self._folder / "late.txt").write_text("late")
        made = job(
            tasks=[
                {"id": "first", "command_line": f"until test -e '{self._gate}'; do sleep 0.05; done"},
                {
                    "id": "second",
                    "command_line": "cat late.txt > copied.txt",
                    "resource_files": ["late.txt"],
                    "output_files": ["copied.txt"],
                },
            ]
        )
        return msgspec.structs.replace(made, pool=msgspec.structs.replace(made.pool, task_slots_per_node=1))

    async def input_address(self, run: JobRun) -> str:
        """The address that the second task was given, once it was added."""
        with anyio.fail_after(30):
            await self._added.wait()
        client: BatchClient = batch_client(self._service)
        async with client:
            task = await client.get_task(run.job_id, "second")
        assert task.resource_files is not None
        address = task.resource_files[0].http_url
        assert address is not None
        return address

    def copied(self) -> str:
        """What the second task made of its input, on this disk."""
        (path,) = (self._folder / "results").rglob("copied.txt")
        return path.read_text()

    async def let_go(self, run: JobRun) -> JobResult:
        """Let the first task end, and wait for the end of the run."""
        self._gate.touch()
        return await run.wait()


@pytest.mark.timeout(120)
async def test_a_policy_that_lapses_in_the_middle_is_extended_and_the_run_ends_well(
    service: Path, job: Make, tmp_path: Path
) -> None:
    # Looked at after it has lapsed, which no sane setting does: as if the machine had slept meanwhile.
    limits = msgspec.structs.replace(FAST, access_lifetime=8, access_check_interval=10)
    long_run = LongRun(service, tmp_path, limits)
    async with long_run.orchestrator:
        run = await long_run.orchestrator.submit(long_run.job(job))
        address = await long_run.input_address(run)
        await until_opens(address, does=True)
        await until_opens(address, does=False)
        await until_opens(address, does=True)
        told = await long_run.let_go(run)
    assert (told.outcome, told.succeeded, long_run.failed) == (RunOutcome.SUCCEEDED, 2, {})
    assert long_run.copied() == "late"


@pytest.mark.timeout(120)
async def test_without_an_extension_the_tasks_of_such_a_run_fail(
    service: Path, job: Make, tmp_path: Path
) -> None:
    limits = msgspec.structs.replace(FAST, access_lifetime=3, access_check_interval=3600)
    long_run = LongRun(service, tmp_path, limits)
    async with long_run.orchestrator:
        run = await long_run.orchestrator.submit(long_run.job(job))
        await until_opens(await long_run.input_address(run), does=False)
        told = await long_run.let_go(run)
    assert told.outcome is RunOutcome.TASKS_FAILED
    failure = long_run.failed["second"].failure
    assert failure is not None
    assert failure.code == "BlobAccessDenied"


@pytest.mark.timeout(120)
async def test_a_look_in_time_keeps_the_addresses_working_without_a_gap(
    service: Path, job: Make, tmp_path: Path
) -> None:
    limits = msgspec.structs.replace(FAST, access_lifetime=4, access_check_interval=0.4)
    long_run = LongRun(service, tmp_path, limits)
    async with long_run.orchestrator:
        run = await long_run.orchestrator.submit(long_run.job(job))
        address = await long_run.input_address(run)
        with pytest.raises(AssertionError, match="the address opens: True"):
            await until_opens(address, does=False, limit=6)
        told = await long_run.let_go(run)
    assert (told.outcome, told.succeeded) == (RunOutcome.SUCCEEDED, 2)
