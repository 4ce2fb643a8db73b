"""Every exception of the orchestrator.

    OrchestratorError                  the message defaults to the docstring, which tells the remedy
    ├── SpecError(ValueError)          .where: "tasks[3].command_line"
    ├── ConfigError                    .where: "daemon.toml: limits.uploads"
    ├── NotOpenError
    ├── DaemonError                    the daemon refused: .status .title .remedy .where
    ├── JournalError(.path)            the journal can't be read or written
    ├── RunHeldError                   .run_id .holder: another program drives the run
    ├── LocalServiceError              the local service did not start or went away
    ├── ServiceError                   the service answered and refused: .operation .status .code .request_id
    │   ├── NotFoundError  ConflictError  AuthenticationError  QuotaError  ThrottledError(.retry_after)
    ├── UnreachableError               no answer: .operation .attempts
    ├── StagingError(.path)
    ├── PoolError(.pool_id)            AllocationError(.resize_errors)  StartTaskError(.node_id .failure)
    ├── SubmissionError                .rejections .unknown (unknown: may or may not exist)
    ├── TimeLimitError                 .unfinished .reasons: what had not ended in time, and why
    ├── TooManyFailedError             .failed: the job's max_failed_tasks was reached
    ├── RunCancelledError
    ├── TaskFailedError                only from TaskResult.raise_for_failure()
    ├── DownloadError(.key .path)
    └── CleanupError                   .leftovers: what still exists and still costs money

A failed task is a value, not an exception, until the caller asks. `accounts/failures.py` is the only place
that turns exceptions of the SDK into these, with the cause kept.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from orchestrator.states import FailureInfo, TaskKey


def error_text(error: BaseException) -> str:
    """What an error says; the name of its type where it says nothing, as Python's own often do.

    Args:
        error: any.
    """
    return str(error) or type(error).__name__


class OrchestratorError(Exception):
    """Something in the orchestrator failed; the subclass and its fields say what and what to do."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or (type(self).__doc__ or "").strip())


class SpecError(OrchestratorError, ValueError):
    """What was asked for can't be right: correct the job file at the place that `.where` names."""

    def __init__(self, message: str, *, where: str = "") -> None:
        self.where = where
        super().__init__(f"{where}: {message}" if where else message)


class ConfigError(OrchestratorError):
    """A setting is missing or can't be right: correct the one that `.where` names."""

    def __init__(self, message: str, *, where: str = "") -> None:
        self.where = where
        super().__init__(f"{where}: {message}" if where else message)


class NotOpenError(OrchestratorError):
    """The orchestrator is not open: use it inside `async with Orchestrator.local() as orchestrator:`."""


class DaemonError(OrchestratorError):
    """The daemon refused: `.remedy` says what to do about it; `.status` is HTTP's."""

    def __init__(self, title: str, *, status: int, remedy: str = "", where: str = "") -> None:
        self.title = title
        self.status = status
        self.remedy = remedy
        self.where = where
        told = f"{where}: {title}" if where else title
        super().__init__(f"{told}; {remedy}" if remedy else told)


class JournalError(OrchestratorError):
    """The journal (`.path`) can't be read or written: free the disk, or name another state directory."""

    def __init__(self, message: str, *, path: str) -> None:
        self.path = path
        super().__init__(f"{path}: {message}")


class RunHeldError(OrchestratorError):
    """Another program drives this run: wait for its end, or end the process that `.holder` names."""

    def __init__(self, message: str | None = None, *, run_id: str, holder: str) -> None:
        self.run_id = run_id
        self.holder = holder
        super().__init__(message or f"run {run_id} is held by {holder}")


class LocalServiceError(OrchestratorError):
    """The local service did not start or went away: run `orchestrator local` by hand to see what it says."""


class ServiceError(OrchestratorError):
    """The service answered and refused; `.code` is its own word for the reason."""

    def __init__(
        self,
        message: str | None = None,
        *,
        operation: str,
        status: int | None,
        code: str | None,
        request_id: str | None = None,
        details: Sequence[tuple[str, str]] = (),
    ) -> None:
        self.operation = operation
        self.status = status
        self.code = code
        self.request_id = request_id
        self.details = tuple(details)
        told = [f"{operation} was refused ({status} {code or 'without a code'})"]
        if message:
            told.append(message)
        told.extend(f"{name}: {value}" for name, value in self.details)
        super().__init__("; ".join(told))


class NotFoundError(ServiceError):
    """It does not exist (any more): check the id and the account."""


class ConflictError(ServiceError):
    """The state of the thing forbids it (every 409): `.code` says which state that is."""


class AuthenticationError(ServiceError):
    """The account refused the credentials: check the key, the token's role, and this machine's clock."""


class QuotaError(ServiceError):
    """A quota of the account is used up: delete what is no longer needed, or ask for a larger quota."""


class ThrottledError(ServiceError):
    """The service asks to slow down; the retries were used up. `.retry_after` is in seconds, or None."""

    def __init__(
        self,
        message: str | None = None,
        *,
        operation: str,
        status: int | None,
        code: str | None,
        request_id: str | None = None,
        details: Sequence[tuple[str, str]] = (),
        retry_after: float | None = None,
    ) -> None:
        self.retry_after = retry_after
        super().__init__(
            message, operation=operation, status=status, code=code, request_id=request_id, details=details
        )


class UnreachableError(OrchestratorError):
    """No answer came: check the endpoint, the network and the proxy settings."""

    def __init__(self, message: str | None = None, *, operation: str, attempts: int = 1) -> None:
        self.operation = operation
        self.attempts = attempts
        super().__init__(
            f"{operation} got no answer in {attempts} attempt(s): {message or (self.__doc__ or '').strip()}"
        )


class StagingError(OrchestratorError):
    """A file could not be staged: `.path` names it."""

    def __init__(self, message: str, *, path: str) -> None:
        self.path = path
        super().__init__(f"{path}: {message}")


class PoolError(OrchestratorError):
    """The pool can't be used as it is asked for: change the job file or the pool."""

    def __init__(self, message: str, *, pool_id: str) -> None:
        self.pool_id = pool_id
        super().__init__(f"pool {pool_id}: {message}")


class AllocationError(PoolError):
    """The pool did not get its nodes: `.resize_errors` says why (quota, capacity, time)."""

    def __init__(
        self, message: str, *, pool_id: str, resize_errors: Sequence[Mapping[str, Any]] = ()
    ) -> None:
        self.resize_errors = tuple(resize_errors)
        super().__init__(message, pool_id=pool_id)


class StartTaskError(PoolError):
    """The start task failed on a node: read `startup/stderr.txt` there; `.failure` has the code."""

    def __init__(self, message: str, *, pool_id: str, node_id: str, failure: FailureInfo | None) -> None:
        self.node_id = node_id
        self.failure = failure
        super().__init__(message, pool_id=pool_id)


class SubmissionError(OrchestratorError):
    """Not every task was accepted: `.rejections` were refused, `.unknown` may or may not exist."""

    def __init__(
        self,
        message: str | None = None,
        *,
        rejections: Mapping[str, str] | None = None,
        unknown: Sequence[str] = (),
    ) -> None:
        self.rejections = dict(rejections or {})
        self.unknown = tuple(unknown)
        super().__init__(message)


class TimeLimitError(OrchestratorError):
    """The time limit passed: raise `timeout` in the job file, or look at the reasons."""

    def __init__(self, message: str, *, unfinished: Sequence[str] = (), reasons: Sequence[str] = ()) -> None:
        self.unfinished = tuple(unfinished)
        self.reasons = tuple(reasons)
        super().__init__(message)


class TooManyFailedError(OrchestratorError):
    """The job's `max_failed_tasks` was reached: look at the failed tasks, then run again what failed."""

    def __init__(self, message: str, *, failed: int) -> None:
        self.failed = failed
        super().__init__(message)


class RunCancelledError(OrchestratorError):
    """The run was cancelled before its tasks had ended."""


class TaskFailedError(OrchestratorError):
    """A task failed; its stderr.txt is among its outputs."""

    def __init__(self, key: TaskKey, *, exit_code: int | None, failure: FailureInfo | None) -> None:
        self.key = key
        self.exit_code = exit_code
        self.failure = failure
        why = f"{failure.category}/{failure.code}: {failure.message}" if failure else "no reason given"
        ended = "did not start" if exit_code is None else f"ended with exit code {exit_code}"
        super().__init__(f"task {key.task_id} of job {key.job_id} {ended} ({why})")


class DownloadError(OrchestratorError):
    """An output could not be brought here: `.path` names the file, `.key` the task."""

    def __init__(self, message: str, *, key: TaskKey | None = None, path: str = "") -> None:
        self.key = key
        self.path = path
        super().__init__(f"{path}: {message}" if path else message)


class CleanupError(OrchestratorError):
    """Something could not be deleted and may still cost money: `.leftovers` lists it."""

    def __init__(self, message: str | None = None, *, leftovers: Sequence[str] = ()) -> None:
        self.leftovers = tuple(leftovers)
        listed = ", ".join(self.leftovers)
        super().__init__(message or f"left behind: {listed}")
