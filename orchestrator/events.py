"""Every event, frozen, named in the past tense with its subject first.

A subscription to a base class gets everything below it (`TaskEvent`, `RunEvent`, `Event` itself). Written
as JSON, each event has a member `event` with its class name. One bus serves one run, so `run_id` says which
run an event belongs to once several are looked at together.

Polling sees states, not transitions: a task may go from active to completed between two looks, so nobody
may wait for `TaskStarted`. Every accepted task ends in exactly one `TaskCompleted` (`TaskSucceeded` or
`TaskFailed`) or one `TaskAbandoned`.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

import msgspec

from orchestrator.results import JobResult
from orchestrator.states import (
    AllocationState,
    FailureInfo,
    NodeState,
    PoolState,
    RunOutcome,
    RunState,
    TaskKey,
    TaskState,
)


def utc_now() -> datetime:
    """The time now, aware, in UTC."""
    return datetime.now(UTC)


class Event(msgspec.Struct, frozen=True, kw_only=True, tag_field="event", tag=True):
    """Something that happened.

    Args:
        run_id: of the run it happened in.
        time: when this program learned of it, aware, UTC.
        sequence: its place in the run, from 1; given by the bus, and the same if it is delivered again.
    """

    run_id: str
    time: datetime = msgspec.field(default_factory=utc_now)
    sequence: int = 0


class Publish(Protocol):
    """How a stage or a handler tells; awaiting it is the back-pressure of the built-in handlers."""

    async def __call__(self, event: Event, /) -> None:
        """Put the event on the bus of its run."""


# --- the run ---------------------------------------------------------------------------------------------


class RunEvent(Event, frozen=True, kw_only=True):
    """Something about the run as a whole."""


class RunStarted(RunEvent, frozen=True, kw_only=True):
    """A run began; nothing has been created yet."""

    job_id: str
    pool_id: str
    inputs: int
    tasks: int
    account: str
    download_dir: Path


class RunStateChanged(RunEvent, frozen=True, kw_only=True):
    """The run went on to its next state."""

    previous: RunState | None
    state: RunState


class RunInterrupted(RunEvent, frozen=True, kw_only=True):
    """The run will not end by itself any more: time limit, cancellation, or an error that ends it."""

    outcome: RunOutcome
    reason: str


class RunFinished(RunEvent, frozen=True, kw_only=True):
    """The last event of a run: clean-up is over too."""

    result: JobResult


# --- staging ---------------------------------------------------------------------------------------------


class StagingEvent(Event, frozen=True, kw_only=True):
    """Something about bringing files to the account's storage."""


class StagingStarted(StagingEvent, frozen=True, kw_only=True):
    """The containers are there and files begin to go up."""

    files: int
    containers: tuple[str, ...]


class InputStaged(StagingEvent, frozen=True, kw_only=True):
    """One file is in its container (or was there already: `reused`).

    Args:
        name: the file's name as the task will see it.
        size: in bytes.
        md5: of the content, hexadecimal.
        started_at: when its upload began.
    """

    name: str
    container: str
    blob: str
    size: int
    md5: str
    started_at: datetime
    reused: bool = False


class StagingCompleted(StagingEvent, frozen=True, kw_only=True):
    """Every file is in its container."""

    files: int
    size: int


# --- pool ------------------------------------------------------------------------------------------------


class PoolEvent(Event, frozen=True, kw_only=True):
    """Something about the pool or its nodes."""

    pool_id: str


class PoolCreated(PoolEvent, frozen=True, kw_only=True):
    """The pool was asked for; its nodes come later, and cost money from now on."""

    vm_size: str
    image: str
    target_dedicated_nodes: int
    target_low_priority_nodes: int


class PoolReused(PoolEvent, frozen=True, kw_only=True):
    """A pool of that id existed and fits.

    Args:
        application: who brings the application to its nodes: `start task`, `preparation task` or `none`.
        differences: what differs from what was asked for, without making the pool unfit.
    """

    application: str
    differences: tuple[str, ...] = ()


class PoolChanged(PoolEvent, frozen=True, kw_only=True):
    """The pool's state, or the number of nodes it has, is not what it was at the last look."""

    state: PoolState
    allocation_state: AllocationState
    current_nodes: int
    target_nodes: int


class PoolSteady(PoolChanged, frozen=True, kw_only=True):
    """The resize is over: machines were allocated, which does not mean that nodes work."""


class PoolResizeFailed(PoolEvent, frozen=True, kw_only=True):
    """The pool did not get the nodes it asked for."""

    errors: tuple[FailureInfo, ...]


class NodeStateChanged(PoolEvent, frozen=True, kw_only=True):
    """A node is in another state than at the last look; `previous` is None for a new one."""

    node_id: str
    previous: NodeState | None
    state: NodeState


class NodeUnusable(NodeStateChanged, frozen=True, kw_only=True):
    """A node can't run tasks; it is billed all the same."""

    errors: tuple[FailureInfo, ...] = ()


class StartTaskFailed(NodeStateChanged, frozen=True, kw_only=True):
    """The start task failed on a node, which gets no tasks but is billed."""

    exit_code: int | None = None
    failure: FailureInfo | None = None


# --- job and tasks ---------------------------------------------------------------------------------------


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
    """No more tasks will be added."""

    accepted: int
    rejected: int


class JobSettled(JobEvent, frozen=True, kw_only=True):
    """Every accepted task ended or was given up, and every output is here or was given up."""

    outcome: RunOutcome
    accepted: int
    succeeded: int
    failed: int
    abandoned: int
    missing_outputs: int


class TaskEvent(Event, frozen=True, kw_only=True):
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
    """A task that had begun waits again: a retry, a requeue, or a lost node."""


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
    """The run gave the task up before it ended."""

    reason: str


# --- outputs ---------------------------------------------------------------------------------------------


class OutputEvent(TaskEvent, frozen=True, kw_only=True):
    """Something about a task's files."""


class OutputDownloaded(OutputEvent, frozen=True, kw_only=True):
    """One file of a task is on this disk, checked."""

    path: Path
    size: int


class OutputsDownloaded(OutputEvent, frozen=True, kw_only=True):
    """Everything a task left is on this disk, or was given up (`missing`: name and reason)."""

    outputs: tuple[Path, ...]
    size: int
    missing: tuple[tuple[str, str], ...] = ()


class DownloadFailed(OutputEvent, frozen=True, kw_only=True):
    """One file of a task could not be brought here."""

    name: str
    reason: str


# --- clean-up --------------------------------------------------------------------------------------------


class CleanupEvent(Event, frozen=True, kw_only=True):
    """Something about clean-up."""


class ResourceDeleted(CleanupEvent, frozen=True, kw_only=True):
    """A thing the run had created is gone (`kind`: container, job, pool)."""

    kind: str
    id: str


class ResourceKept(CleanupEvent, frozen=True, kw_only=True):
    """A thing stays, and why: a policy, an answer, or somebody else who needs it."""

    kind: str
    id: str
    reason: str


class CleanupFailed(CleanupEvent, frozen=True, kw_only=True):
    """Things could not be deleted and may still cost money: (kind, id, reason)."""

    leftovers: tuple[tuple[str, str, str], ...]


class CleanupCompleted(CleanupEvent, frozen=True, kw_only=True):
    """Clean-up is over."""

    deleted: tuple[str, ...]
    kept: tuple[str, ...]
    leftovers: tuple[str, ...]


# --- the bus itself --------------------------------------------------------------------------------------


class HandlerFailed(Event, frozen=True, kw_only=True):
    """A handler raised; it never gets this event itself, and nobody else is harmed."""

    handler: str
    failed_event: str
    error: str


def all_event_types() -> tuple[type[Event], ...]:
    """Every event class that can be published or subscribed to, parents before children."""
    found: list[type[Event]] = []
    waiting: list[type[Event]] = [Event]
    while waiting:
        current = waiting.pop(0)
        found.append(current)
        waiting.extend(current.__subclasses__())
    return tuple(found)
