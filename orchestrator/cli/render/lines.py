"""Events as lines of plain text; what is not worth a line gives none."""

from __future__ import annotations

from orchestrator.cli.render.escape import shown
from orchestrator.events import (
    CleanupFailed,
    DownloadFailed,
    Event,
    HandlerFailed,
    InputStaged,
    JobCreated,
    NodeRebooted,
    NodeRemoved,
    NodeStateChanged,
    NodeUnusable,
    OutputsDownloaded,
    PoolCreated,
    PoolResizeFailed,
    PoolResizeRetried,
    PoolReused,
    ResourceDeleted,
    ResourceKept,
    RunInterrupted,
    RunResumed,
    RunStalled,
    RunStarted,
    RunStateChanged,
    StagingCompleted,
    StartTaskFailed,
    SubmissionCompleted,
    TaskAbandoned,
    TaskFailed,
    TaskRequeued,
    TasksRejected,
    TaskSucceeded,
)
from orchestrator.states import FailureInfo, StallReason


def trouble(event: Event) -> str | None:
    """The line for an event that somebody may have to act on; None for any other.

    Args:
        event: any event.
    """
    match event:
        case TaskFailed():
            told = f"task {event.key.task_id} failed: {how_ended(event.exit_code, event.failure)}"
        case TaskAbandoned():
            told = f"task {event.key.task_id} given up: {event.reason}"
        case TasksRejected():
            told = "; ".join(f"task {name} refused: {code} {why}" for name, code, why in event.rejections)
        case DownloadFailed():
            told = f"task {event.key.task_id}: {event.name} could not be downloaded: {event.reason}"
        case StartTaskFailed():
            told = f"node {event.node_id}: start task failed: {how_ended(event.exit_code, event.failure)}"
        case NodeUnusable():
            told = f"node {event.node_id} is unusable: {_failures(event.errors)}"
        case PoolResizeFailed():
            told = f"pool {event.pool_id} did not get its nodes: {_failures(event.errors)}"
        case RunInterrupted():
            told = f"{event.outcome}: {event.reason}"
        case CleanupFailed():
            told = "; ".join(f"{kind} {name} is left: {why}" for kind, name, why in event.leftovers)
        case HandlerFailed():
            told = f"handler {event.handler} failed at {event.failed_event}: {event.error}"
        case _:
            return _care(event)
    return shown(told)


def _care(event: Event) -> str | None:
    """The line for what a run does about trouble."""
    match event:
        case RunStalled():
            why = "; ".join(_stalled(reason) for reason in event.reasons)
            told = f"nothing moves, {event.unfinished} tasks have not ended: {why}"
        case PoolResizeRetried():
            told = f"pool {event.pool_id}: its missing nodes are asked for again (attempt {event.attempt})"
        case NodeRebooted():
            told = f"node {event.node_id} is rebooted: {event.reason}"
        case NodeRemoved():
            told = f"node {event.node_id} is replaced: {event.reason}"
        case TaskRequeued() if event.reason is not None:
            why = f" ({event.failure.code})" if event.failure else ""
            told = f"task {event.key.task_id} is run again: {event.reason}{why}"
        case _:
            return None
    return shown(told)


def line(event: Event) -> str | None:  # noqa: PLR0912 - a table of events, one branch each
    """The line for an event where every step is told; None where it is worth none.

    Args:
        event: any event.
    """
    if told := trouble(event):
        return told
    match event:
        case RunStarted():
            told = f"run {event.run_id}: job {event.job_id}, {event.tasks} tasks, account {event.account}"
        case RunResumed():
            told = f"goes on with run {event.run_id}: {event.unfinished} tasks have not ended yet"
        case RunStateChanged():
            told = f"{event.state}"
        case InputStaged():
            told = f"{'there already' if event.reused else 'staged'}: {event.name} ({event.size} bytes)"
        case StagingCompleted():
            told = f"{event.files} files staged ({event.size} bytes)"
        case PoolCreated():
            nodes = event.target_dedicated_nodes + event.target_low_priority_nodes
            told = f"pool {event.pool_id} created: {nodes} x {event.vm_size}, {event.image}"
        case PoolReused():
            but = f"; differs in {', '.join(event.differences)}" if event.differences else ""
            told = f"pool {event.pool_id} reused{but}"
        case NodeStateChanged():
            told = f"node {event.node_id} is {event.state}"
        case JobCreated():
            told = f"job {event.job_id} created"
        case SubmissionCompleted():
            told = f"{event.accepted} tasks submitted, {event.rejected} refused"
        case TaskRequeued():
            told = f"task {event.key.task_id} waits again"
        case TaskSucceeded():
            told = f"task {event.key.task_id} succeeded"
        case OutputsDownloaded():
            told = f"task {event.key.task_id}: {len(event.outputs)} files here ({event.size} bytes)"
        case ResourceDeleted():
            told = f"{event.kind} {event.id} deleted"
        case ResourceKept():
            told = f"{event.kind} {event.id} kept: {event.reason}"
        case _:
            return None
    return shown(told)


def how_ended(exit_code: int | None, failure: FailureInfo | None) -> str:
    """How a command ended, in a few words.

    Args:
        exit_code: None if it never ran.
        failure: the service's reason, if it gave one.
    """
    code = "never ran" if exit_code is None else f"exit code {exit_code}"
    return f"{code}, {failure.category}/{failure.code}" if failure else code


def _failures(failures: tuple[FailureInfo, ...]) -> str:
    return ", ".join(f"{failure.code} {failure.message}".strip() for failure in failures) or "no reason given"


def _stalled(reason: StallReason) -> str:
    return f"{reason.text} [{reason.remedy}]" if reason.remedy else reason.text
