"""Events of the job and its tasks."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from orchestrator.events.event import Event
from orchestrator.states import FailureClass, FailureInfo, RunOutcome, TaskKey, TaskState


class JobEvent(Event, frozen=True, kw_only=True):
    """Something about the job."""

    job_id: str


class JobCreated(JobEvent, frozen=True, kw_only=True):
    """The job exists and is bound to its pool."""

    pool_id: str


class TasksSubmitted(JobEvent, frozen=True, kw_only=True):
    """One request's tasks were accepted (one event a request, not one a task)."""

    task_ids: tuple[str, ...]


class TasksRejected(JobEvent, frozen=True, kw_only=True):
    """The service refused these tasks: (task id, code, reason)."""

    rejections: tuple[tuple[str, str, str], ...]


class SubmissionCompleted(JobEvent, frozen=True, kw_only=True):
    """No more tasks will be added.

    Args:
        accepted: tasks that the service has taken.
        rejected: tasks that it has refused.
        counted: tasks that the service counts in the job; None where it was not asked or did not say. A
            difference to `accepted` may be a count that lags behind: the looks at the tasks decide.
    """

    accepted: int
    rejected: int
    counted: int | None = None


class JobSettled(JobEvent, frozen=True, kw_only=True):
    """Every accepted task ended or was given up, and every output is here or was given up."""

    outcome: RunOutcome
    accepted: int
    succeeded: int
    failed: int
    abandoned: int
    missing_outputs: int


# There are many of them, and no cycle can go through one: the collector need not look at them.
class TaskEvent(Event, frozen=True, kw_only=True, gc=False):
    """Something about one task."""

    key: TaskKey


class TaskStateChanged(TaskEvent, frozen=True, kw_only=True):
    """A task is in another state than at the last look; `previous` is None at the first look."""

    previous: TaskState | None
    state: TaskState
    node_id: str | None = None
    retry_count: int = 0


class TaskStarted(TaskStateChanged, frozen=True, kw_only=True):
    """A task is running."""


class TaskRequeued(TaskStateChanged, frozen=True, kw_only=True):
    """A task that had begun waits again: a retry, a requeue, or a lost node.

    Args:
        reason: the class of the failure for which the run let it run again (`retries` in the job file); None
            where the service did so by itself.
        failure: the failure.
    """

    reason: FailureClass | None = None
    failure: FailureInfo | None = None


class TaskCompleted(TaskStateChanged, frozen=True, kw_only=True):
    """A task ended; it comes as `TaskSucceeded` or `TaskFailed`."""

    exit_code: int | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None


class TaskSucceeded(TaskCompleted, frozen=True, kw_only=True):
    """The service calls the task a success."""


class TaskFailed(TaskCompleted, frozen=True, kw_only=True):
    """The service calls the task a failure."""

    failure: FailureInfo | None = None


class TaskAbandoned(TaskEvent, frozen=True, kw_only=True):
    """The run gave the task up before it ended.

    Args:
        outputs: what its command had written to stdout and stderr so far, on this disk.
    """

    reason: str
    outputs: tuple[Path, ...] = ()
