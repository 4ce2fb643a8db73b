"""What ended a run early says how it ended."""

from __future__ import annotations

import pytest

from orchestrator.errors import (
    JournalError,
    OrchestratorError,
    RunCancelledError,
    TimeLimitError,
    TooManyFailedError,
)
from orchestrator.runtime.giving_up import outcome_of
from orchestrator.states import RunOutcome


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (TimeLimitError("late"), RunOutcome.TIMED_OUT),
        (TooManyFailedError("3", failed=3), RunOutcome.TOO_MANY_FAILED),
        (RunCancelledError("enough"), RunOutcome.CANCELLED),
        (JournalError("full", path="j"), RunOutcome.ERROR),
        (OrchestratorError("odd"), RunOutcome.ERROR),
        (ValueError("a defect"), RunOutcome.ERROR),
    ],
)
def test_each_error_has_its_outcome(error: Exception, outcome: RunOutcome) -> None:
    assert outcome_of(error) is outcome
