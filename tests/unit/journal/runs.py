"""Short ways to make journals, runs and events."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from orchestrator.events import Event, TaskStarted
from orchestrator.journal import Journal
from orchestrator.limits import Limits
from orchestrator.states import TaskKey, TaskState


def started(sequence: int, *, run: str = "r", task: str | None = None) -> TaskStarted:
    return TaskStarted(
        run_id=run,
        key=TaskKey("j", task or f"task-{sequence}"),
        previous=TaskState.ACTIVE,
        state=TaskState.RUNNING,
        sequence=sequence,
    )


def events(count: int, *, after: int = 0, run: str = "r") -> list[Event]:
    return [started(after + number, run=run) for number in range(1, count + 1)]


async def begin(journal: Journal, *run_ids: str) -> None:
    for run_id in run_ids:
        await journal.begin_run(run_id, job_id="j", pool_id="p", account="a")


@asynccontextmanager
async def opened(path: Path, *run_ids: str, limits: Limits = Limits()) -> AsyncIterator[Journal]:  # noqa: B008
    """A journal in which these runs have begun."""
    journal = await Journal.open(path, limits=limits)
    try:
        await begin(journal, *run_ids)
        yield journal
    finally:
        await journal.close()
