"""Stage: adds the tasks, in order, packed into requests by number and size, each task's fate told."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Iterable

import anyio
import msgspec

from orchestrator.accounts.batch import AddOutcome, AddStatus, BatchAccount
from orchestrator.accounts.retry import Tries
from orchestrator.events import Publish, SubmissionCompleted, TasksRejected, TasksSubmitted
from orchestrator.limits import Limits
from orchestrator.stages.pace import Gate, Pace
from orchestrator.stages.workers import run_workers

_ENVELOPE = len(b'{"value":[]}')


class TaskBody(msgspec.Struct, frozen=True):
    """One task ready to be sent: its id and its JSON."""

    task_id: str
    body: bytes


class Submission(msgspec.Struct, kw_only=True):
    """The counts of a submission."""

    accepted: int = 0
    rejected: int = 0


class ChunkPacker:
    """Packs tasks into requests that the service takes: pure, fed one task at a time.

    Args:
        tasks_per_request: the most tasks in a request (the service's cap is 100).
        request_bytes: the most bytes in a request's body (the service's cap is 1 MiB).
    """

    def __init__(self, *, tasks_per_request: int, request_bytes: int) -> None:
        self._tasks = tasks_per_request
        self._bytes = request_bytes
        self._chunk: list[TaskBody] = []
        self._size = _ENVELOPE

    def fits(self, task: TaskBody) -> bool:
        """Whether the task fits into a request at all, alone."""
        return _ENVELOPE + len(task.body) <= self._bytes

    def add(self, task: TaskBody) -> list[TaskBody]:
        """Take one task; returns the chunk that is full because of it, or an empty list."""
        size = len(task.body) + 1
        full: list[TaskBody] = []
        if self._chunk and (len(self._chunk) == self._tasks or self._size + size > self._bytes):
            full = self.flush()
        self._chunk.append(task)
        self._size += size
        return full

    def flush(self) -> list[TaskBody]:
        """The tasks that are left; the packer is empty afterwards."""
        chunk, self._chunk, self._size = self._chunk, [], _ENVELOPE
        return chunk


async def submit_tasks(
    *,
    run_id: str,
    job_id: str,
    tasks: AsyncIterator[TaskBody],
    batch: BatchAccount,
    publish: Publish,
    limits: Limits,
) -> Submission:
    """Add every task to the job, as many requests at once as the service takes well.

    Args:
        run_id: of the run.
        job_id: of the job, which this run created.
        tasks: ready to be sent, in order.
        batch: where.
        publish: told of each request's tasks.
        limits: sizes, and `submissions`: the most requests at once.

    Returns:
        The counts; accepted and rejected tasks together are all tasks.

    Raises:
        ServiceError, UnreachableError: a whole request was refused, or got no answer in all its tries.
    """
    counts = Submission()
    gate = Gate(Pace(limits.submissions))
    send, receive = anyio.create_memory_object_stream[list[TaskBody]](limits.submissions)

    async def produce() -> None:
        packer = ChunkPacker(tasks_per_request=limits.tasks_per_request, request_bytes=limits.request_bytes)
        async with send:
            async for task in tasks:
                if not packer.fits(task):
                    reason = f"{len(task.body)} bytes; a request takes {limits.request_bytes}"
                    await _reject(((task.task_id, "RequestBodyTooLarge", reason),))
                elif chunk := packer.add(task):
                    await send.send(chunk)
            if chunk := packer.flush():
                await send.send(chunk)

    async def consume() -> None:
        async with receive.clone() as chunks:
            async for chunk in chunks:
                await _submit_chunk(chunk)

    async def _reject(rejections: tuple[tuple[str, str, str], ...]) -> None:
        counts.rejected += len(rejections)
        await publish(TasksRejected(run_id=run_id, job_id=job_id, rejections=rejections))

    async def _request(chunk: list[TaskBody]) -> tuple[AddOutcome, ...]:
        async with gate.request() as number:
            tries, began = Tries(), anyio.current_time()
            outcomes = await batch.add_tasks(job_id, [task.body for task in chunk], tries=tries)
            gate.pace.answered(number, anyio.current_time() - began, put_off=tries.put_off > 0)
            return outcomes

    async def _submit_chunk(chunk: list[TaskBody]) -> None:
        waiting = chunk
        for attempt in range(limits.attempts):
            outcomes = await _request(waiting)
            taken, refused, again = _sort(outcomes, waiting, sent_before=attempt > 0)
            if taken:
                # Counted before it is told: whoever watches must never see more tasks than were counted.
                counts.accepted += len(taken)
                await publish(TasksSubmitted(run_id=run_id, job_id=job_id, task_ids=taken))
            if refused:
                await _reject(refused)
            if not again:
                return
            waiting = again
            await anyio.sleep(min(limits.backoff * math.pow(2, attempt), limits.backoff_limit))
        reason = "the service failed on it each time; it may exist all the same"
        await _reject(tuple((task.task_id, "Unknown", reason) for task in waiting))

    workers = iter([produce, *[consume] * limits.submissions])

    async def work() -> None:
        await next(workers)()

    try:
        await run_workers(limits.submissions + 1, work)
    finally:
        receive.close()
    await publish(
        SubmissionCompleted(run_id=run_id, job_id=job_id, accepted=counts.accepted, rejected=counts.rejected)
    )
    return counts


def _sort(
    outcomes: Iterable[AddOutcome], sent: list[TaskBody], *, sent_before: bool
) -> tuple[tuple[str, ...], tuple[tuple[str, str, str], ...], list[TaskBody]]:
    """What was taken, what was refused, and what is to be sent again.

    A task that exists counts as taken only where an earlier request with it may have added it: the ids are
    this run's own, in a job of its own, so anything else is a mistake that must be seen.
    """
    ours = {AddStatus.ACCEPTED, AddStatus.PERHAPS_OURS} | ({AddStatus.EXISTS} if sent_before else set())
    by_id = {task.task_id: task for task in sent}
    taken: list[str] = []
    refused: list[tuple[str, str, str]] = []
    again: list[TaskBody] = []
    for outcome in outcomes:
        if outcome.status in ours:
            taken.append(outcome.task_id)
        elif outcome.status is AddStatus.RETRY:
            again.append(by_id[outcome.task_id])
        else:
            refused.append((outcome.task_id, outcome.code, outcome.message))
    return tuple(taken), tuple(refused), again
