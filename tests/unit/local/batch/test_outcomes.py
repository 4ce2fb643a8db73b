from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from orchestrator.local.batch.execution import Outcome
from orchestrator.local.batch.store.outcomes import (
    Ending,
    JobAction,
    Verdict,
    dependents_satisfied,
    exit_options,
    job_action,
    judge,
)

NOW = datetime(2024, 1, 1, tzinfo=UTC)


def _failure(code: str) -> dict[str, Any]:
    return {"category": "UserError", "code": code, "message": "m"}


def _outcome(code: str | None, exit_code: int | None = 0, *, lost: bool = False) -> Outcome:
    return Outcome(
        exit_code=exit_code,
        failure=_failure(code) if code else None,
        started_at=NOW,
        ended_at=NOW,
        lost=lost,
    )


SUCCESS = _outcome(None)
FAILED = _outcome("FailureExitCode", 1)
KILLED = _outcome("TaskEnded", -9)
NO_INPUT = _outcome("BlobNotFound", None)
LOST = _outcome(None, None, lost=True)


@pytest.mark.parametrize(
    ("outcome", "ending", "most", "verdict"),
    [
        (SUCCESS, None, 0, Verdict.COMPLETE),
        (FAILED, None, 0, Verdict.COMPLETE),
        (FAILED, None, 2, Verdict.RETRY),
        (FAILED, None, 1, Verdict.COMPLETE),
        (FAILED, None, -1, Verdict.RETRY),
        (NO_INPUT, None, 5, Verdict.COMPLETE),
        (KILLED, None, 5, Verdict.COMPLETE),
        (KILLED, Ending.TERMINATED, 5, Verdict.COMPLETE),
        (KILLED, Ending.REQUEUED, 0, Verdict.REQUEUE),
        (KILLED, Ending.LOST, 0, Verdict.RECOVER),
        (KILLED, Ending.DELETED, 0, Verdict.DROP),
        (SUCCESS, Ending.REQUEUED, 0, Verdict.COMPLETE),
        (FAILED, Ending.TERMINATED, 5, Verdict.COMPLETE),
        (LOST, None, 0, Verdict.RECOVER),
        (LOST, Ending.REQUEUED, 0, Verdict.REQUEUE),
        (LOST, Ending.TERMINATED, 0, Verdict.COMPLETE),
    ],
)
def test_what_becomes_of_a_task(outcome: Outcome, ending: Ending | None, most: int, verdict: Verdict) -> None:
    assert judge(outcome, ending=ending, retries=1, most_retries=most) is verdict


CONDITIONS: dict[str, Any] = {
    "exitCodes": [{"code": 3, "exitOptions": {"jobAction": "disable"}}],
    "exitCodeRanges": [{"start": 10, "end": 20, "exitOptions": {"dependencyAction": "satisfy"}}],
    "preProcessingError": {"jobAction": "none"},
    "fileUploadError": {"dependencyAction": "block"},
    "default": {"jobAction": "terminate"},
}


@pytest.mark.parametrize(
    ("exit_code", "code", "chosen"),
    [
        (0, None, None),
        (3, "FailureExitCode", {"jobAction": "disable"}),
        (3, "FileUploadMiscError", {"jobAction": "disable"}),
        (10, "FailureExitCode", {"dependencyAction": "satisfy"}),
        (20, "FailureExitCode", {"dependencyAction": "satisfy"}),
        (21, "FailureExitCode", {"jobAction": "terminate"}),
        (None, "BlobNotFound", {"jobAction": "none"}),
        (0, "FileUploadAccessDenied", {"dependencyAction": "block"}),
    ],
)
def test_which_exit_options_apply(exit_code: int | None, code: str | None, chosen: Any) -> None:
    failure = _failure(code) if code else None
    assert exit_options(CONDITIONS, exit_code, failure) == chosen


def test_without_options_success_satisfies_and_failure_blocks_and_terminates() -> None:
    failure = _failure("FailureExitCode")
    assert dependents_satisfied(None, None)
    assert not dependents_satisfied(None, failure)
    assert dependents_satisfied({"dependencyAction": "satisfy"}, failure)
    assert job_action(None, None) is JobAction.NONE
    assert job_action(None, failure) is JobAction.TERMINATE
    assert job_action({"jobAction": "disable"}, failure) is JobAction.DISABLE
