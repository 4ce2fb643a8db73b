from __future__ import annotations

import pytest

from orchestrator import errors
from orchestrator.cli.app import told_as
from orchestrator.cli.exit_codes import ExitCode, of_error, of_result
from orchestrator.states import RunOutcome
from tests.unit.cli.runs import result


@pytest.mark.parametrize(
    ("outcome", "code"),
    [
        (RunOutcome.SUCCEEDED, 0),
        (RunOutcome.TASKS_FAILED, 1),
        (RunOutcome.ERROR, 3),
        (RunOutcome.TIMED_OUT, 5),
        (RunOutcome.OUTPUTS_MISSING, 6),
        (RunOutcome.CANCELLED, 130),
    ],
)
def test_each_outcome_has_its_exit_code(outcome: RunOutcome, code: int) -> None:
    assert of_result(result(outcome)) == code


@pytest.mark.parametrize("outcome", RunOutcome)
def test_something_left_behind_wins_over_every_outcome(outcome: RunOutcome) -> None:
    assert of_result(result(outcome, leftovers=("pool small",))) is ExitCode.LEFT_BEHIND


def test_an_error_that_ended_the_run_decides_where_the_outcome_says_no_more() -> None:
    gone = errors.StagingError("it is gone", path="a.txt")
    assert of_result(result(RunOutcome.ERROR), gone) is ExitCode.WRONG
    assert of_result(result(RunOutcome.TIMED_OUT), errors.TimeLimitError("20 min")) is ExitCode.TIME_LIMIT


def test_what_the_policy_keeps_is_not_left_behind() -> None:
    assert of_result(result(kept=("pool small",))) is ExitCode.SUCCEEDED


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.SpecError("wrong", where="job.toml: id"), 2),
        (errors.ConfigError("missing", where="AZURE_BATCH_ACCOUNT"), 2),
        (FileNotFoundError("job.toml"), 2),
        (errors.NotFoundError(operation="Get Pool", status=404, code="PoolNotFound"), 3),
        (errors.UnreachableError(operation="Get Pool"), 3),
        (ConnectionRefusedError(), 3),
        (TimeoutError(), 3),
        (errors.LocalServiceError(), 3),
        (errors.CleanupError(leftovers=["pool small"]), 4),
        (errors.TimeLimitError("20 min"), 5),
        (errors.DownloadError("full disk"), 6),
        (KeyboardInterrupt(), 130),
        (ExceptionGroup("of a task group", [errors.SpecError("wrong")]), 2),
        (ExceptionGroup("outer", [ExceptionGroup("inner", [errors.TimeLimitError("20 min")])]), 5),
        (BaseExceptionGroup("of a task group", [KeyboardInterrupt()]), 130),
        (ExceptionGroup("two", [errors.SpecError("wrong"), errors.SpecError("too")]), 3),
    ],
)
def test_each_error_has_its_exit_code(error: BaseException, code: int) -> None:
    assert of_error(error) == code


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (errors.SpecError("wrong", where="job.toml: id"), "job.toml: id: wrong"),
        (errors.NotOpenError(), errors.NotOpenError.__doc__),
        (TimeoutError(), "TimeoutError"),
        (OSError(), "OSError"),
        (ValueError("odd"), "ValueError: odd (a defect: ORCHESTRATOR_DEBUG=1 shows where)"),
        (AssertionError(), "AssertionError (a defect: ORCHESTRATOR_DEBUG=1 shows where)"),
    ],
)
def test_an_error_always_says_something(error: BaseException, told: str) -> None:
    assert told_as(error) == told
