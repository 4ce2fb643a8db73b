"""Tasks as they were a while ago, for answers that lag behind.

A task remembers the state before its present one and when that began; what lies further back is taken for
`active`, as every task began. Tasks that were deleted meanwhile don't come back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from orchestrator.local.batch.store.records import TaskRecord
from orchestrator.local.batch.store.states import TaskState
from orchestrator.local.batch.store.task_counts import TaskCounts

Walk = Callable[[str | None], Iterable[tuple[str, TaskRecord]]]


def task_as_of(task: TaskRecord, at: int) -> TaskRecord | None:
    """Show a task as it was.

    Args:
        task: as it is.
        at: when, in ticks.

    Returns:
        The task itself if it has not moved since, a copy that nobody keeps if it has, None if it was not
        there yet.
    """
    if task.created > at:
        return None
    if task.state_since <= at:
        return task
    before = task.previous_state if task.previous_since <= at else None
    state = before or TaskState.ACTIVE
    past = TaskRecord(
        id=task.id,
        job_id=task.job_id,
        sequence=task.sequence,
        spec=task.spec,
        slots=task.slots,
        created=task.created,
        modified=task.created if task.modified > at else task.modified,
        state_since=task.previous_since if before is not None else task.created,
        state=state,
        retry_count=task.retry_count,
        last_retry=task.last_retry,
        requeue_count=task.requeue_count,
        last_requeue=task.last_requeue,
    )
    if state is not TaskState.ACTIVE:
        past.previous_state, past.previous_since = TaskState.ACTIVE, task.created
        past.pool_id, past.node_id, past.started = task.pool_id, task.node_id, past.state_since
    return past


def walk_as_of(walk: Walk, at: int | None) -> Walk:
    """Walk over tasks as they were.

    Args:
        walk: over them as they are.
        at: when, in ticks; None for now.
    """
    if at is None:
        return walk

    def past(start: str | None) -> Iterator[tuple[str, TaskRecord]]:
        for key, task in walk(start):
            shown = task_as_of(task, at)
            if shown is not None:
                yield key, shown

    return past


def counts_as_of(tasks: Iterable[TaskRecord], at: int) -> TaskCounts:
    """Count tasks as they were.

    Args:
        tasks: of a job.
        at: when, in ticks.
    """
    counts = TaskCounts()
    for task in tasks:
        shown = task_as_of(task, at)
        if shown is not None:
            counts.add(shown.state, shown.slots, succeeded=shown.failure is None)
    return counts
