"""A run of many tasks that nobody had to wait for: its events, as a daemon would have written them down.

`python -m tests.page.simulated STATE TASKS`, since the driver of the browser has a loop in the tests' thread.
"""

from __future__ import annotations

import asyncio
import random
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import msgspec

from orchestrator import Event, JobResult, RunFinished, RunOutcome, RunStarted, TaskKey, TaskState
from orchestrator.daemon.intake import Intake
from orchestrator.daemon.records import NewRun
from orchestrator.daemon.results_json import encode_result
from orchestrator.events import TaskFailed, TasksSubmitted, TaskStarted, TaskSucceeded
from orchestrator.journal import Journal
from orchestrator.spec import decode_job, encode_job
from orchestrator.states import FailureInfo
from tests.acceptance.daemon.daemons import job

RUN: Final = "20260101t000000-simula"
NODES: Final = 40
SLOTS: Final = 4
_BEGAN: Final = datetime(2026, 1, 1, 12, tzinfo=UTC)
_FAILURE: Final = FailureInfo(category="usererror", code="FailureExitCode", message="It exited with 1")


async def write_down(state: Path, tasks: int) -> None:
    """Put a run that is over into the journal and the intake of a daemon that does not run.

    Args:
        state: the daemon's state directory.
        tasks: how many the run had.
    """
    events = list(_events(tasks, state))
    journal = await Journal.open(state / "journal.sqlite")
    try:
        await journal.begin_run(RUN, job_id=RUN, pool_id="pool", account="local")
        await journal.record(events)
        await journal.finish_run(RUN, outcome=RunOutcome.TASKS_FAILED)
    finally:
        await journal.close()
    (finished,) = (event for event in events if isinstance(event, RunFinished))
    intake = await Intake.open(state / "daemon.sqlite", timeout=10.0)
    try:
        spec = encode_job(decode_job(msgspec.json.encode(job("true"))))
        await intake.accept(NewRun(run_id=RUN, job_id=RUN, spec=spec))
        await intake.begun(RUN)
        result = encode_result(finished.result)
        await intake.finished(RUN, outcome=RunOutcome.TASKS_FAILED, result=result)
    finally:
        await intake.close()


def _events(tasks: int, state: Path) -> Iterator[Event]:
    """The events in order, numbered from 1."""
    told: list[Event] = [
        TasksSubmitted(run_id=RUN, time=_BEGAN, job_id=RUN, task_ids=tuple(f"t-{n:05}" for n in chunk))
        for chunk in (range(first, min(first + 100, tasks)) for first in range(0, tasks, 100))
    ]
    dice = random.Random(6)
    free = [(_BEGAN + timedelta(seconds=dice.random()), slot) for slot in range(NODES * SLOTS)]
    failed = 0
    for number in range(tasks):
        key = TaskKey(RUN, f"t-{number:05}")
        began, slot = min(free)
        ended = began + timedelta(seconds=0.5 + dice.expovariate(0.25))
        free[free.index((began, slot))] = (ended, slot)
        place: dict[str, Any] = {"run_id": RUN, "key": key, "node_id": f"tvmps_{slot // SLOTS:040}_d"}
        told.append(TaskStarted(time=began, previous=TaskState.ACTIVE, state=TaskState.RUNNING, **place))
        times = {"time": ended, "started_at": began, "ended_at": ended}
        moved: dict[str, Any] = {
            "previous": TaskState.RUNNING,
            "state": TaskState.COMPLETED,
            **times,
            **place,
        }
        bad = dice.random() < 0.01
        failed += bad
        told.append(
            TaskFailed(exit_code=1, failure=_FAILURE, **moved) if bad else TaskSucceeded(exit_code=0, **moved)
        )
    told.sort(key=lambda event: event.time)
    end = told[-1].time
    result = JobResult(
        run_id=RUN,
        job_id=RUN,
        pool_id="pool",
        outcome=RunOutcome.TASKS_FAILED,
        started_at=_BEGAN,
        ended_at=end,
        download_dir=state / "results",
        tasks=tasks,
        succeeded=tasks - failed,
        failed=failed,
    )
    started = RunStarted(
        run_id=RUN,
        time=_BEGAN,
        job_id=RUN,
        pool_id="pool",
        inputs=0,
        tasks=tasks,
        account="local",
        download_dir=state / "results",
    )
    finished = RunFinished(run_id=RUN, time=end, result=result)
    for sequence, event in enumerate((started, *told, finished), 1):
        yield msgspec.structs.replace(event, sequence=sequence)


if __name__ == "__main__":
    asyncio.run(write_down(Path(sys.argv[1]), int(sys.argv[2])))
