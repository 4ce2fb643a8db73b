"""Results and events for the tests of the command line."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec

from orchestrator.results import JobResult
from orchestrator.states import RunOutcome, TaskKey

BEGAN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
RUN = "run-1"


def result(outcome: RunOutcome = RunOutcome.SUCCEEDED, **changes: Any) -> JobResult:
    """A run of three tasks that took 75 seconds."""
    plain = JobResult(
        run_id=RUN,
        job_id="job-1",
        pool_id="pool-1",
        outcome=outcome,
        started_at=BEGAN,
        ended_at=BEGAN + timedelta(seconds=75),
        download_dir=Path("/results"),
        tasks=3,
        succeeded=3,
    )
    return msgspec.structs.replace(plain, **changes)


def key(task_id: str) -> TaskKey:
    """Names a task of the job of `result`."""
    return TaskKey("job-1", task_id)
