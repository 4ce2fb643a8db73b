"""What the service says, as it comes over the wire, made into our snapshots. Pure.

Facts of the wire (recorded exchanges of 2022 to 2024, and the REST pages): enum values vary in case, so they
are compared without; times have up to seven digits after the second; members that are documented as required
are missing while a thing is young; addresses in failure details carry the SAS they were asked with.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final, TypeVar

import msgspec

from orchestrator.accounts.redaction import without_query
from orchestrator.accounts.wire import (
    WireCounts,
    WireExecution,
    WireFailure,
    WireFile,
    WireImage,
    WireJob,
    WireNode,
    WirePage,
    WirePair,
    WirePool,
    WirePreparation,
    WireTask,
    WireTaskPage,
    WireWaitingTask,
    decoded,
)
from orchestrator.states import (
    AllocationState,
    FailureInfo,
    JobSnapshot,
    JobState,
    NodeSnapshot,
    NodeState,
    PoolSnapshot,
    PoolState,
    PreparationSnapshot,
    SupportedImage,
    TaskSnapshot,
    TaskState,
    WaitingTask,
)

TASK_MEMBERS: Final = (
    "id",
    "state",
    "stateTransitionTime",
    "previousState",
    "executionInfo",
    "nodeInfo",
)
"""What a task snapshot is made of: the `$select` that spares the service and us the rest."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

T = TypeVar("T")


class TaskCounts(msgspec.Struct, frozen=True, kw_only=True):
    """How many tasks of a job are in which state (REST: Job - Get Task Counts).

    Preparing counts as running.
    """

    active: int = 0
    running: int = 0
    completed: int = 0
    succeeded: int = 0
    failed: int = 0


class TaskFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file or folder of a task on its node.

    Args:
        name: relative to the task's folder: `stdout.txt`, `wd/out.csv`.
        size: in bytes; None for a folder.
        is_directory: whether it is a folder.
    """

    name: str
    size: int | None
    is_directory: bool


class WireBody(dict[str, object]):
    """A body as the service sent it. It may hold signed addresses and secrets: it does not print itself."""

    def __repr__(self) -> str:
        return "WireBody(***)"


_TASKS = msgspec.json.Decoder(WireTaskPage, strict=False)
_TASK = msgspec.json.Decoder(WireTask, strict=False)


def page(body: bytes) -> tuple[list[msgspec.Raw], str | None]:
    """Split a list's page into its items, still as they came, and the link to the next page.

    Args:
        body: of the answer.

    Returns:
        The items and the link, None on the last page.

    Raises:
        msgspec.MsgspecError: it is not a page.
    """
    read = decoded(body, WirePage)
    return read.value, read.next_link


def task_page(body: bytes) -> tuple[list[TaskSnapshot], str | None]:
    """Read a page of tasks at once: the hot path.

    Args:
        body: of the answer.

    Returns:
        The tasks and the link to the next page, None on the last.

    Raises:
        msgspec.MsgspecError: it is not a page of tasks.
    """
    read = _TASKS.decode(body)
    return [_task(item) for item in read.value], read.next_link


def task_snapshot(body: bytes) -> TaskSnapshot:
    """Read one task.

    Args:
        body: of the answer.

    Returns:
        The snapshot.

    Raises:
        msgspec.MsgspecError: it is not a task.
    """
    return _task(_TASK.decode(body))


def job_snapshot(body: bytes | msgspec.Raw) -> JobSnapshot:
    """Read one job.

    Args:
        body: of the answer, or an item of a page.

    Returns:
        The snapshot.

    Raises:
        msgspec.MsgspecError: it is not a job.
    """
    job = decoded(body, WireJob)
    ran = job.execution_info or WireExecution()
    return JobSnapshot(
        id=job.id,
        state=JobState(job.state),
        pool_id=ran.pool_id or (job.pool_info.pool_id if job.pool_info else None),
        terminate_reason=ran.terminate_reason,
        failure=_failure(ran.scheduling_error),
        metadata=_pairs(job.metadata),
        etag=job.e_tag,
    )


def pool_snapshot(body: bytes | msgspec.Raw) -> PoolSnapshot:
    """Read one pool.

    Args:
        body: of the answer, or an item of a page.

    Returns:
        The snapshot; its `body` does not print itself.

    Raises:
        msgspec.MsgspecError: it is not a pool.
    """
    whole = msgspec.json.decode(body, type=dict[str, Any])
    pool = msgspec.convert(whole, WirePool, strict=False)
    return PoolSnapshot(
        id=pool.id,
        state=PoolState(pool.state),
        allocation_state=AllocationState(pool.allocation_state),
        current_dedicated_nodes=pool.current_dedicated_nodes,
        target_dedicated_nodes=pool.target_dedicated_nodes,
        current_low_priority_nodes=pool.current_low_priority_nodes,
        target_low_priority_nodes=pool.target_low_priority_nodes,
        task_slots_per_node=pool.task_slots_per_node,
        vm_size=pool.vm_size,
        resize_errors=tuple(found for error in pool.resize_errors if (found := _failure(error))),
        metadata=_pairs(pool.metadata),
        etag=pool.e_tag,
        start_task_command=pool.start_task.command_line if pool.start_task else None,
        body=WireBody(whole),
    )


def node_snapshot(body: bytes | msgspec.Raw) -> NodeSnapshot:
    """Read one compute node.

    Args:
        body: of the answer, or an item of a page.

    Returns:
        The snapshot.

    Raises:
        msgspec.MsgspecError: it is not a node.
    """
    node = decoded(body, WireNode)
    started = node.start_task_info or WireExecution()
    return NodeSnapshot(
        id=node.id,
        state=NodeState(node.state),
        state_changed=parse_time(node.state_transition_time) or _EPOCH,
        running_tasks=node.running_tasks_count,
        dedicated=node.is_dedicated,
        scheduling_enabled=node.scheduling_state.lower() != "disabled",
        allocated_at=parse_time(node.allocation_time),
        errors=tuple(found for error in node.errors if (found := _failure(error))),
        start_task_failure=_failure(started.failure_info),
        start_task_exit_code=started.exit_code,
    )


def waiting_task(body: bytes | msgspec.Raw) -> WaitingTask:
    """Read what a task waits for.

    Args:
        body: an item of a page.

    Returns:
        The snapshot.

    Raises:
        msgspec.MsgspecError: it is not a task.
    """
    task = decoded(body, WireWaitingTask)
    named = task.depends_on.task_ids if task.depends_on else ()
    return WaitingTask(id=task.id, required_slots=task.required_slots, depends_on=tuple(named))


def preparation_snapshot(body: bytes | msgspec.Raw) -> PreparationSnapshot | None:
    """Read how a job's preparation task went on a node.

    Args:
        body: an item of a page.

    Returns:
        The snapshot; None where it did not run there.

    Raises:
        msgspec.MsgspecError: it is not an entry of that list.
    """
    entry = decoded(body, WirePreparation)
    ran = entry.job_preparation_task_execution_info
    if ran is None:
        return None
    return PreparationSnapshot(
        node_id=entry.node_id,
        succeeded=_succeeded(ran) if ran.end_time is not None else None,
        exit_code=ran.exit_code,
        failure=_failure(ran.failure_info),
        retry_count=ran.retry_count,
    )


def supported_image(body: bytes | msgspec.Raw) -> SupportedImage | None:
    """Read one supported image.

    Args:
        body: an item of a page.

    Returns:
        The image, or None where it is not one of the marketplace.

    Raises:
        msgspec.MsgspecError: it is not an image.
    """
    image = decoded(body, WireImage)
    named = image.image_reference
    if named is None or not (named.publisher and named.offer and named.sku):
        return None
    return SupportedImage(
        publisher=named.publisher,
        offer=named.offer,
        sku=named.sku,
        version=named.version or "latest",
        node_agent_sku_id=image.node_agent_sku_id,
        os_type=image.os_type.lower(),
        verified=image.verification_type.lower() == "verified",
        end_of_life=parse_time(image.batch_support_end_of_life),
    )


def task_file(body: bytes | msgspec.Raw) -> TaskFile:
    """Read one entry of a list of files.

    Args:
        body: an item of a page.

    Returns:
        The file.

    Raises:
        msgspec.MsgspecError: it is not a file.
    """
    file = decoded(body, WireFile)
    return TaskFile(
        name=file.name,
        size=file.properties.content_length if file.properties and not file.is_directory else None,
        is_directory=file.is_directory,
    )


def task_counts(body: bytes) -> TaskCounts:
    """Read the counts of a job's tasks.

    Args:
        body: of the answer.

    Returns:
        The counts of tasks, not of slots.

    Raises:
        msgspec.MsgspecError: it is not a job's counts.
    """
    return msgspec.convert(decoded(body, WireCounts).task_counts, TaskCounts)


def parse_time(text: str | None) -> datetime | None:
    """Read a time of the wire.

    Args:
        text: such as `2022-09-06T23:45:29.9954813Z`.

    Returns:
        An aware time, cut to microseconds; None where there is none or it can't be read.
    """
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def _task(task: WireTask) -> TaskSnapshot:
    ran = task.execution_info or WireExecution()
    state = TaskState(task.state)
    return TaskSnapshot(
        id=task.id,
        state=state,
        state_changed=parse_time(task.state_transition_time) or _EPOCH,
        cursor=task.state_transition_time or "",
        previous_state=TaskState(task.previous_state) if task.previous_state else None,
        exit_code=ran.exit_code,
        succeeded=_succeeded(ran) if state is TaskState.COMPLETED else None,
        failure=_failure(ran.failure_info),
        started_at=parse_time(ran.start_time),
        ended_at=parse_time(ran.end_time),
        retry_count=ran.retry_count,
        requeue_count=ran.requeue_count,
        node_id=task.node_info.node_id if task.node_info else None,
    )


def _succeeded(ran: WireExecution) -> bool:
    if ran.result is not None:
        return ran.result.lower() == "success"
    return ran.failure_info is None and ran.exit_code == 0


def _failure(told: WireFailure | None) -> FailureInfo | None:
    if told is None:
        return None
    details = told.details or told.values or told.error_details
    return FailureInfo(
        category=told.category.lower(),
        code=told.code,
        message=without_query(told.message or ""),
        details=tuple((name, without_query(value)) for name, value in _pairs(details)),
    )


def _pairs(told: Sequence[WirePair]) -> tuple[tuple[str, str], ...]:
    return tuple((pair.name, pair.value or "") for pair in told)
