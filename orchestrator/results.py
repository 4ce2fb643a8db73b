"""What a caller gets: one TaskResult a task, one JobResult a run."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import msgspec

from orchestrator.errors import TaskFailedError
from orchestrator.states import FailureInfo, RunOutcome, TaskKey


class TaskResult(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """How one task ended, and where its files are.

    Args:
        key: names the job and the task.
        exit_code: of the command, minus the signal's number when one killed it; None if it never ran.
        failure: why the service calls it a failure; None on success.
        abandoned: why the task was given up before it ended; None for a task that ended.
        input_name: the local name of the file that the task was made for, None where it has none.
        started_at: when the node began with it.
        ended_at: when it ended.
        retry_count: how often the service ran it again because it failed.
        outputs: the files on this disk, stdout.txt and stderr.txt among them.
        missing: outputs that were expected and could not be brought here, with the reason.
    """

    key: TaskKey
    exit_code: int | None = None
    failure: FailureInfo | None = None
    abandoned: str | None = None
    input_name: str | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    retry_count: int = 0
    outputs: tuple[Path, ...] = ()
    missing: tuple[tuple[str, str], ...] = ()

    @property
    def succeeded(self) -> bool:
        """Whether the service calls it a success (its outputs may still be missing: see `missing`)."""
        return self.failure is None and self.abandoned is None

    def raise_for_failure(self) -> None:
        """Turn a failed or abandoned task into an exception.

        Raises:
            TaskFailedError: the task failed or was given up.
        """
        if not self.succeeded:
            failure = self.failure or FailureInfo(category="", code="Abandoned", message=self.abandoned or "")
            raise TaskFailedError(self.key, exit_code=self.exit_code, failure=failure)


class JobResult(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a run: counts and places, never a list as long as the job.

    Args:
        leftovers: what could not be deleted and may cost money, as `kind id`.
        kept: what the policy left standing, as `kind id`.
        error: the message of the error that ended the run, if one did.
    """

    run_id: str
    job_id: str
    pool_id: str
    outcome: RunOutcome
    started_at: datetime
    ended_at: datetime
    download_dir: Path
    tasks: int = 0
    succeeded: int = 0
    failed: int = 0
    abandoned: int = 0
    outputs: int = 0
    output_bytes: int = 0
    missing_outputs: int = 0
    leftovers: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    error: str | None = None

    @property
    def elapsed(self) -> timedelta:
        """From the start to the end of the run, clean-up included."""
        return self.ended_at - self.started_at
