"""Inside somebody's application: any task, any handler, any reader, and nothing stalls."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator

import anyio
import pytest
from blockbuster import BlockBuster, blockbuster_ctx

from orchestrator import (
    HandlerFailed,
    JobRun,
    JobSpec,
    NotOpenError,
    Orchestrator,
    RunOutcome,
    TaskCompleted,
    TaskStarted,
    TaskSucceeded,
)

Make = Callable[..., JobSpec]


@pytest.fixture(autouse=True)
def no_blocking_calls() -> Iterator[BlockBuster]:
    """A blocking call in the loop, wherever it comes from in the orchestrator, fails the test."""
    with blockbuster_ctx("orchestrator") as guard:
        yield guard


def tasks(count: int, command: str = "true") -> list[dict[str, object]]:
    return [{"id": f"t{index}", "command_line": command} for index in range(count)]


async def test_it_may_be_entered_in_one_task_and_left_in_another(
    orchestrator: Orchestrator, job: Make
) -> None:
    async def enter() -> JobRun:
        await orchestrator.__aenter__()
        return await orchestrator.submit(job(tasks=tasks(2)))

    async def leave() -> None:
        await orchestrator.__aexit__(None, None, None)

    run = await asyncio.create_task(enter())
    await asyncio.create_task(leave())
    assert (await run.wait()).outcome is RunOutcome.SUCCEEDED


async def test_a_reader_may_leave_half_way_and_the_run_goes_on(orchestrator: Orchestrator, job: Make) -> None:
    seen = 0
    async with orchestrator:
        run = await orchestrator.submit(job(tasks=tasks(12)))
        async for _ in run.results():
            seen += 1
            if seen == 3:
                break
        told = await run.wait()
    assert seen == 3
    assert (told.outcome, told.succeeded) == (RunOutcome.SUCCEEDED, 12)


async def test_the_next_reader_goes_on_where_the_last_one_left(orchestrator: Orchestrator, job: Make) -> None:
    async with orchestrator:
        run = await orchestrator.submit(job(tasks=tasks(5)))
        first = await anext(run.results())
        rest = [result.key async for result in run.results()]
    assert len({first.key, *rest}) == 5


async def test_a_reader_that_never_comes_stops_nothing(orchestrator: Orchestrator, job: Make) -> None:
    async with orchestrator:
        run = await orchestrator.submit(job(tasks=tasks(5)))
        run.events()
    assert (await run.wait()).succeeded == 5


async def test_a_handler_may_submit_another_run_and_wait_for_it(
    orchestrator: Orchestrator, job: Make
) -> None:
    followers: list[RunOutcome] = []
    followed = asyncio.Event()

    async def follow(event: TaskSucceeded) -> None:
        if not event.key.job_id.startswith("second"):
            run = await orchestrator.submit(job(id="second-{run}", tasks=tasks(2)))
            followers.append((await run.wait()).outcome)
            followed.set()

    orchestrator.on(TaskSucceeded, follow)
    async with orchestrator:
        run = await orchestrator.submit(job(tasks=tasks(1)))
        assert (await run.wait()).outcome is RunOutcome.SUCCEEDED
        with anyio.fail_after(30):
            await followed.wait()
    assert followers == [RunOutcome.SUCCEEDED]


async def test_one_handlers_failure_is_told_and_harms_nobody(orchestrator: Orchestrator, job: Make) -> None:
    broken: list[HandlerFailed] = []
    seen: list[TaskCompleted] = []

    def fail(event: TaskCompleted) -> None:
        raise ValueError("a defect of the user's")

    orchestrator.on(TaskCompleted, fail)
    orchestrator.on(TaskCompleted, seen.append)
    orchestrator.on(HandlerFailed, broken.append)
    async with orchestrator:
        told = await (await orchestrator.submit(job(tasks=tasks(3)))).wait()
    assert told.outcome is RunOutcome.SUCCEEDED
    assert len(seen) == len(broken) == 3
    assert "a defect of the user's" in broken[0].error


async def test_cancelling_gives_up_what_runs_and_cleans_up(orchestrator: Orchestrator, job: Make) -> None:
    started = asyncio.Event()
    async with orchestrator:
        run = await orchestrator.submit(
            job(tasks=[*tasks(1, "true"), {"id": "slow", "command_line": "sleep 90"}])
        )
        async for _ in run.results():
            started.set()
            run.cancel("enough")
            break
        told = await run.wait()
    assert told.outcome is RunOutcome.CANCELLED
    assert (told.succeeded, told.abandoned) == (1, 1)
    assert told.leftovers == ()


async def test_leaving_by_an_exception_cancels_the_runs_and_cleans_up(
    orchestrator: Orchestrator, job: Make
) -> None:
    run: JobRun | None = None

    async def leave_by_an_exception() -> None:
        nonlocal run
        async with orchestrator:
            run = await orchestrator.submit(job(tasks=tasks(1, "sleep 90")))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await leave_by_an_exception()
    assert run is not None
    told = await run.wait()
    assert told.outcome is RunOutcome.CANCELLED
    assert told.leftovers == ()


async def test_a_deadline_of_the_callers_leaves_nothing_behind(orchestrator: Orchestrator, job: Make) -> None:
    run: JobRun | None = None
    with anyio.move_on_after(1.5):
        async with orchestrator:
            run = await orchestrator.submit(job(tasks=tasks(1, "sleep 90")))
            await run.wait()
    assert run is not None
    assert (await run.wait()).leftovers == ()


async def test_stopping_at_once_names_what_is_left(orchestrator: Orchestrator, job: Make) -> None:
    async with orchestrator:
        run = await orchestrator.submit(job(tasks=tasks(1, "sleep 90")))
        with anyio.fail_after(30):
            await anext(run.events(TaskStarted))
        run.stop()
        told = await run.wait()
    kinds = sorted(left.split()[0] for left in told.leftovers)
    assert kinds == ["container", "container", "job", "pool"]


async def test_submitting_outside_says_how_it_is_used(orchestrator: Orchestrator, job: Make) -> None:
    with pytest.raises(NotOpenError, match="use it inside"):
        await orchestrator.submit(job(tasks=tasks(1)))
