"""Stage: adds the tasks, in order, packed into requests by number and size, each task's fate told."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable

import anyio
import msgspec
import structlog
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

from orchestrator.accounts.batch import AddOutcome, AddStatus, BatchAccount
from orchestrator.accounts.retry import Tries
from orchestrator.errors import NotFoundError, ServiceError, UnreachableError
from orchestrator.events import Publish, SubmissionCompleted, TasksRejected, TasksSubmitted
from orchestrator.limits import Limits
from orchestrator.stages.pace import Gate, Pace
from orchestrator.stages.workers import Call, run_as_called

log = structlog.get_logger()

_ENVELOPE = len(b'{"value":[]}')


class TaskBody(msgspec.Struct, frozen=True):
    """One task ready to be sent: its id and its JSON."""

    task_id: str
    body: bytes


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


class TaskSubmission:
    """Adds every task to the job, as many requests at once as the service takes well.

    Args:
        run_id: of the run.
        job_id: of the job, which this run created.
        tasks: ready to be sent, in order; a None among them says that the next one has to be waited for.
        batch: where.
        publish: told of each request's tasks.
        limits: sizes, and `submissions`: the most requests at once.
        intend: writes down, durably, which tasks the next request is about to add; None keeps no record.
        doubtful: the tasks that this run may have added before its program died: one that exists is taken.
        accepted: how many tasks had been taken by then, for the count at the end.
        rejected: how many had been refused.
    """

    def __init__(
        self,
        *,
        run_id: str,
        job_id: str,
        tasks: AsyncIterator[TaskBody | None],
        batch: BatchAccount,
        publish: Publish,
        limits: Limits,
        intend: Callable[[tuple[str, ...]], Awaitable[None]] | None = None,
        doubtful: Collection[str] = (),
        accepted: int = 0,
        rejected: int = 0,
    ) -> None:
        self._run_id = run_id
        self._job_id = job_id
        self._tasks = tasks
        self._batch = batch
        self._publish = publish
        self._limits = limits
        self._gate = Gate(Pace(limits.submissions))
        self._intend = intend
        self._doubtful = doubtful
        self.accepted = accepted
        self.rejected = rejected

    async def run(self) -> None:
        """Add them all; accepted and rejected tasks together are all tasks then.

        Raises:
            ServiceError, UnreachableError: a whole request was refused, or got no answer in all its tries.
        """
        limits = self._limits
        send, receive = anyio.create_memory_object_stream[list[TaskBody]](limits.submissions)
        producers = iter([send])  # one of the workers makes the requests, the others send them

        async def work(call: Call) -> None:
            producer = next(producers, None)
            if producer is None:
                await self._consume(receive, call)
            else:
                call()
                await self._produce(producer)

        try:
            await run_as_called(limits.submissions + 1, work)
        finally:
            receive.close()
        await self._publish(
            SubmissionCompleted(
                run_id=self._run_id,
                job_id=self._job_id,
                accepted=self.accepted,
                rejected=self.rejected,
                counted=await self._counted(),
            )
        )

    async def _counted(self) -> int | None:
        """How many tasks the service says there are: a second opinion, which no run must fail for."""
        try:
            counts = await self._batch.task_counts(self._job_id)
        except (ServiceError, UnreachableError) as error:
            log.info("submit.not_counted", job=self._job_id, error=str(error))
            return None
        counted = counts.active + counts.running + counts.completed
        if counted != self.accepted:
            log.warning("submit.count_differs", job=self._job_id, accepted=self.accepted, counted=counted)
        return counted

    async def _produce(self, send: MemoryObjectSendStream[list[TaskBody]]) -> None:
        limits = self._limits
        packer = ChunkPacker(tasks_per_request=limits.tasks_per_request, request_bytes=limits.request_bytes)
        flushed = -math.inf
        async with send:
            async for task in self._tasks:
                if task is None:
                    # What is ready must not wait for what is not; but a request for each task that comes
                    # one by one would be dear.
                    if anyio.current_time() - flushed >= limits.poll_floor and (chunk := packer.flush()):
                        flushed = anyio.current_time()
                        await send.send(chunk)
                elif not packer.fits(task):
                    reason = f"{len(task.body)} bytes; a request takes {limits.request_bytes}"
                    await self._reject(((task.task_id, "RequestBodyTooLarge", reason),))
                elif chunk := packer.add(task):
                    await send.send(chunk)
            if chunk := packer.flush():
                await send.send(chunk)

    async def _consume(self, receive: MemoryObjectReceiveStream[list[TaskBody]], call: Call) -> None:
        async with receive.clone() as chunks:
            async for chunk in chunks:
                call()  # for the next one: most runs are over before all workers that may be had work
                await self._submit(chunk)

    async def _submit(self, chunk: list[TaskBody]) -> None:
        limits, waiting = self._limits, chunk
        if self._intend is not None:
            await self._intend(tuple(task.task_id for task in chunk))
        doubtful = frozenset(task.task_id for task in chunk if task.task_id in self._doubtful)
        for attempt in range(limits.attempts):
            taken, refused, again = _sort(
                await self._request(waiting), waiting, sent_before=attempt > 0, doubtful=doubtful
            )
            if taken:
                await self._accept(taken)
            if refused:
                await self._reject(refused)
            if not again:
                return
            waiting = again
            await anyio.sleep(min(limits.backoff * math.pow(2, attempt), limits.backoff_limit))
        await self._settle_by_asking(waiting)

    async def _request(self, chunk: list[TaskBody]) -> tuple[AddOutcome, ...]:
        async with self._gate.request() as number:
            tries, began = Tries(), anyio.current_time()
            outcomes = await self._batch.add_tasks(self._job_id, [task.body for task in chunk], tries=tries)
            delay = anyio.current_time() - began
            self._gate.pace.answered(number, delay, put_off=tries.put_off > 0)
            return outcomes

    async def _settle_by_asking(self, doubtful: list[TaskBody]) -> None:
        """The service failed on these each time, which does not say that they are not there."""
        for task in doubtful:
            try:
                await self._batch.get_task(self._job_id, task.task_id)
            except NotFoundError:
                await self._reject(((task.task_id, "NotAdded", "the service failed on it each time"),))
            except (ServiceError, UnreachableError) as error:
                reason = f"it may exist or not; asking for it failed: {error}"
                await self._reject(((task.task_id, "Unknown", reason),))
            else:
                await self._accept((task.task_id,))

    async def _accept(self, task_ids: tuple[str, ...]) -> None:
        self.accepted += len(task_ids)
        await self._publish(TasksSubmitted(run_id=self._run_id, job_id=self._job_id, task_ids=task_ids))

    async def _reject(self, rejections: tuple[tuple[str, str, str], ...]) -> None:
        self.rejected += len(rejections)
        await self._publish(TasksRejected(run_id=self._run_id, job_id=self._job_id, rejections=rejections))


def _sort(
    outcomes: Iterable[AddOutcome], sent: list[TaskBody], *, sent_before: bool, doubtful: Collection[str]
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
        if outcome.status in ours or (outcome.status is AddStatus.EXISTS and outcome.task_id in doubtful):
            taken.append(outcome.task_id)
        elif outcome.status is AddStatus.RETRY:
            again.append(by_id[outcome.task_id])
        else:
            refused.append((outcome.task_id, outcome.code, outcome.message))
    return tuple(taken), tuple(refused), again
