"""What the program's exit code says, decided in one place from how a run or a command ended."""

from __future__ import annotations

import enum

from orchestrator.errors import (
    CleanupError,
    ConfigError,
    DaemonError,
    DownloadError,
    RunCancelledError,
    SpecError,
    StagingError,
    TaskFailedError,
    TimeLimitError,
    TooManyFailedError,
)
from orchestrator.results import JobResult
from orchestrator.states import RunOutcome


class ExitCode(enum.IntEnum):
    """How the program ended; `docs/cli.md` has the same list for users.

    SUCCEEDED: every task succeeded, every output is here, and nothing is left behind.
    TASK_FAILED: a task failed; the others' results are here (those that had ended, where `max_failed_tasks`
    ended the run).
    WRONG: the command, a file or a setting is wrong; nothing was created.
    SERVICE: the service refused or did not answer.
    LEFT_BEHIND: something that the run created still exists against its policy, and is listed; wins over the
    others, since it costs money.
    TIME_LIMIT: the time limit passed before every task had ended.
    OUTPUTS_MISSING: every task succeeded, but outputs are missing.
    INTERRUPTED: stopped by Ctrl-C or SIGTERM, and clean.
    """

    SUCCEEDED = 0
    TASK_FAILED = 1
    WRONG = 2
    SERVICE = 3
    LEFT_BEHIND = 4
    TIME_LIMIT = 5
    OUTPUTS_MISSING = 6
    INTERRUPTED = 130


_REFUSED_FOR_NOW = 500
"""From this status on a daemon's refusal is not the asker's fault."""

_BY_OUTCOME = {
    RunOutcome.SUCCEEDED: ExitCode.SUCCEEDED,
    RunOutcome.TASKS_FAILED: ExitCode.TASK_FAILED,
    RunOutcome.TOO_MANY_FAILED: ExitCode.TASK_FAILED,
    RunOutcome.OUTPUTS_MISSING: ExitCode.OUTPUTS_MISSING,
    RunOutcome.TIMED_OUT: ExitCode.TIME_LIMIT,
    RunOutcome.CANCELLED: ExitCode.INTERRUPTED,
    RunOutcome.ERROR: ExitCode.SERVICE,
}

_BY_ERROR: tuple[tuple[type[BaseException], ExitCode], ...] = (
    (ConnectionError, ExitCode.SERVICE),  # an OSError too, but nothing of the user's
    (TimeoutError, ExitCode.SERVICE),  # the same
    (SpecError, ExitCode.WRONG),
    (ConfigError, ExitCode.WRONG),
    (StagingError, ExitCode.WRONG),
    (OSError, ExitCode.WRONG),
    (CleanupError, ExitCode.LEFT_BEHIND),
    (TimeLimitError, ExitCode.TIME_LIMIT),
    (TooManyFailedError, ExitCode.TASK_FAILED),
    (DownloadError, ExitCode.OUTPUTS_MISSING),
    (TaskFailedError, ExitCode.TASK_FAILED),
    (RunCancelledError, ExitCode.INTERRUPTED),
    (KeyboardInterrupt, ExitCode.INTERRUPTED),
)


def of_result(result: JobResult, error: BaseException | None = None) -> ExitCode:
    """The exit code for a run that came to its end.

    Args:
        result: what became of it.
        error: what ended it early, if something did.
    """
    if result.leftovers:
        return ExitCode.LEFT_BEHIND
    if result.outcome is RunOutcome.ERROR and error is not None:
        return of_error(error)
    return _BY_OUTCOME[result.outcome]


def of_error(error: BaseException) -> ExitCode:
    """The exit code for an error that ended a command; what is not listed is the service's doing.

    Args:
        error: as it was raised.
    """
    error = unwrapped(error)
    if isinstance(error, DaemonError) and error.status < _REFUSED_FOR_NOW:
        return ExitCode.WRONG
    return next((code for kind, code in _BY_ERROR if isinstance(error, kind)), ExitCode.SERVICE)


def unwrapped(error: BaseException) -> BaseException:
    """What a task group wrapped, if that is a single error; else the error as it is.

    Args:
        error: as it was raised.
    """
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error
