"""However a run ends, every task is accounted for and everything it created is deleted or named."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from pathlib import Path

import anyio
import anyio.to_thread
import msgspec
from azure.batch import models

from orchestrator import (
    JobRun,
    JobSpec,
    Orchestrator,
    RunFinished,
    RunOutcome,
    RunStateChanged,
    TaskCompleted,
    TaskStarted,
    TaskSucceeded,
)
from orchestrator.states import RunState
from tests.flow.conftest import FAST
from tests.flow.test_main_job import batch_client

Make = Callable[..., JobSpec]


async def test_a_task_that_somebody_else_adds_to_the_job_is_not_counted(
    orchestrator: Orchestrator, job: Make, service: Path
) -> None:
    spec = job(tasks=[{"id": "quick", "command_line": "true"}, {"id": "slow", "command_line": "sleep 3"}])
    async with orchestrator, batch_client(service) as client:
        run = await orchestrator.submit(spec)
        with anyio.fail_after(30):
            await anext(run.events(TaskCompleted))
        foreign = models.BatchTaskCreateOptions(id="foreign", command_line="/bin/true")
        await client.create_task(run.job_id, foreign)
        told = await run.wait()
    assert (told.outcome, told.tasks, told.succeeded) == (RunOutcome.SUCCEEDED, 2, 2)


async def test_runs_that_a_handler_submits_while_the_program_leaves_are_waited_for(
    orchestrator: Orchestrator, job: Make
) -> None:
    followers: list[JobRun] = []

    async def follow(event: TaskSucceeded) -> None:
        if not event.key.job_id.startswith("second"):
            tasks = [{"id": "t", "command_line": "sleep 1"}]
            followers.append(await orchestrator.submit(job(id="second-{run}", tasks=tasks)))

    orchestrator.on(TaskSucceeded, follow)
    async with orchestrator:
        await orchestrator.submit(job(tasks=[{"id": "t", "command_line": "true"}]))
    told = await followers[0].wait()
    assert (told.outcome, told.leftovers) == (RunOutcome.SUCCEEDED, ())


async def test_a_handler_that_raises_what_is_no_exception_harms_nobody(
    orchestrator: Orchestrator, job: Make
) -> None:
    def leave(_event: TaskSucceeded) -> None:
        raise SystemExit(3)

    orchestrator.on(TaskSucceeded, leave)
    async with orchestrator:
        runs = [await orchestrator.submit(job(tasks=[{"id": "t", "command_line": "true"}])) for _ in range(2)]
        results = [await run.wait() for run in runs]
    assert [result.outcome for result in results] == [RunOutcome.SUCCEEDED] * 2
    assert [result.leftovers for result in results] == [(), ()]


async def test_a_journal_that_breaks_hangs_nobody_and_is_told(
    service: Path, job: Make, tmp_path: Path
) -> None:
    orchestrator = Orchestrator.local(env_file=service, limits=FAST, journal_dir=tmp_path / "journal")

    def drop() -> None:
        with sqlite3.connect(tmp_path / "journal" / "journal.sqlite") as other:
            for table in ("runs", "owed"):
                other.execute(f"DROP TABLE {table}")
        other.close()

    with anyio.fail_after(60):
        async with orchestrator:
            run = await orchestrator.submit(job(tasks=[{"id": "t", "command_line": "sleep 1"}]))
            await anext(run.events(TaskStarted))
            await anyio.to_thread.run_sync(drop)
            told = await run.wait()
    assert told.leftovers or told.error


async def test_cancelling_while_outputs_come_down_gives_up_the_rest_and_cleans_up(
    service: Path, job: Make, tmp_path: Path
) -> None:
    slow = Orchestrator.local(
        env_file=service, limits=msgspec.structs.replace(FAST, downloads=1), journal_dir=tmp_path / "journal"
    )
    tasks = [
        {"id": f"t{index}", "command_line": "for i in $(seq 60); do echo $i > $i.out; done"}
        | {"output_files": ["*.out"]}
        for index in range(6)
    ]
    async with slow:
        run = await slow.submit(job(tasks=tasks))
        with anyio.fail_after(60):
            async for event in run.events(RunStateChanged):
                if isinstance(event, RunStateChanged) and event.state is RunState.SETTLING:
                    break
        run.cancel("enough")
        with anyio.fail_after(30):
            told = await run.wait()
    assert told.outcome is RunOutcome.CANCELLED
    assert told.leftovers == ()


async def test_leaving_while_being_cancelled_again_and_again_still_closes_everything(
    orchestrator: Orchestrator, job: Make
) -> None:
    run: JobRun | None = None
    entered = asyncio.Event()

    async def program() -> None:
        nonlocal run
        async with orchestrator:
            run = await orchestrator.submit(job(tasks=[{"id": "t", "command_line": "sleep 90"}]))
            await anext(run.events(TaskStarted))
            entered.set()
            await run.wait()

    task = asyncio.create_task(program())
    with anyio.fail_after(60):
        await entered.wait()
        while not task.done():
            task.cancel()
            await asyncio.wait({task}, timeout=0.05)
    assert run is not None
    told = await run.wait()
    assert (told.outcome, told.leftovers) == (RunOutcome.CANCELLED, ())


async def test_a_large_file_does_not_hold_up_a_cancellation(
    orchestrator: Orchestrator, job: Make, tmp_path: Path
) -> None:
    with (tmp_path / "huge.bin").open("wb") as file:
        file.truncate(20 << 30)
    spec = job(tasks=[{"id": "t", "command_line": "wc {file}", "file": "huge.bin"}])
    ended: list[RunFinished] = []
    orchestrator.on(RunFinished, ended.append)
    async with orchestrator:
        run = await orchestrator.submit(spec)
        with anyio.fail_after(30):
            async for event in run.events(RunStateChanged):
                if isinstance(event, RunStateChanged) and event.state is RunState.PROVISIONING:
                    break
        run.cancel("too large")
        with anyio.fail_after(10):
            told = await run.wait()
    assert (told.outcome, told.leftovers) == (RunOutcome.CANCELLED, ())
