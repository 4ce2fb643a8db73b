"""What follows from the end of an attempt: done, once more, or back to the queue.

Sources of facts: the product pages "Job and task error checking" and "Error handling"; the SDK's notes on
exitConditions, retryCount and requeueCount.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, auto
from typing import Any, Final

from orchestrator.local.batch.execution import Outcome

TASK_ENDED: Final[Mapping[str, Any]] = {
    "category": "UserError",
    "code": "TaskEnded",
    "message": "Task Was Ended by User Request",
}
"""Recorded."""

EXIT_CODE_FAILURE: Final = "FailureExitCode"
_UPLOAD_FAILURE: Final = "FileUpload"


class Ending(Enum):
    """Why an attempt was told to stop. Kept by these values."""

    TERMINATED = "terminated"
    """It is over: completed, with TaskEnded."""
    REQUEUED = "requeued"
    """A user's action sent it back to the queue: requeueCount goes up."""
    LOST = "lost"
    """Its node went away: back to the queue without a trace."""
    DELETED = "deleted"
    """The task itself goes away."""


class Verdict(Enum):
    """What becomes of the task."""

    COMPLETE = auto()
    RETRY = auto()
    REQUEUE = auto()
    RECOVER = auto()
    DROP = auto()


class JobAction(Enum):
    """What becomes of the job."""

    NONE = "none"
    DISABLE = "disable"
    TERMINATE = "terminate"


def judge(outcome: Outcome, *, ending: Ending | None, retries: int, most_retries: int) -> Verdict:
    """Decide what becomes of a task whose attempt is over.

    Args:
        outcome: of the attempt.
        ending: why it was told to stop, if it was.
        retries: already made.
        most_retries: allowed; -1 for any number.

    Returns:
        The verdict. A command that ended by itself before the order reached it counts as it ended, except
        that a deleted task is dropped.
    """
    if ending is Ending.DELETED:
        return Verdict.DROP
    stopped = outcome.lost or (outcome.failure is not None and outcome.failure["code"] != EXIT_CODE_FAILURE)
    if ending is Ending.REQUEUED and stopped:
        return Verdict.REQUEUE
    if outcome.lost and ending is Ending.TERMINATED:
        return Verdict.COMPLETE
    if outcome.lost or (ending is Ending.LOST and stopped):
        return Verdict.RECOVER
    failed_by_itself = outcome.failure is not None and outcome.failure["code"] == EXIT_CODE_FAILURE
    if failed_by_itself and ending is None and (most_retries < 0 or retries < most_retries):
        return Verdict.RETRY
    return Verdict.COMPLETE


def exit_options(
    conditions: Mapping[str, Any], exit_code: int | None, failure: Mapping[str, Any] | None
) -> Any:
    """Choose among a task's exitConditions.

    Args:
        conditions: wire form.
        exit_code: None when no process ran.
        failure: wire form of failureInfo, None on success.

    Returns:
        The chosen ExitOptions in wire form, None for the built-in behaviour.
    """
    if exit_code is not None:
        for one in conditions.get("exitCodes", ()):
            if one["code"] == exit_code:
                return one["exitOptions"]
        for one in conditions.get("exitCodeRanges", ()):
            if one["start"] <= exit_code <= one["end"]:
                return one["exitOptions"]
    if failure is None:
        return None
    if failure["code"].startswith(_UPLOAD_FAILURE) and "fileUploadError" in conditions:
        return conditions["fileUploadError"]
    if exit_code is None and "preProcessingError" in conditions:
        return conditions["preProcessingError"]
    return conditions.get("default")


def dependents_satisfied(options: Mapping[str, Any] | None, failure: Mapping[str, Any] | None) -> bool:
    """Decide whether dependents may run.

    Args:
        options: chosen by exit_options.
        failure: None on success.
    """
    stated = options.get("dependencyAction") if options else None
    return stated == "satisfy" if stated is not None else failure is None


def job_action(options: Mapping[str, Any] | None, failure: Mapping[str, Any] | None) -> JobAction:
    """Decide what becomes of a job with performexitoptionsjobaction.

    Args:
        options: chosen by exit_options.
        failure: None on success.
    """
    stated = options.get("jobAction") if options else None
    if stated is not None:
        return JobAction(stated)
    return JobAction.NONE if failure is None else JobAction.TERMINATE
