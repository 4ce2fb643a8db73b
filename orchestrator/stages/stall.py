"""Stage: when nothing has moved for a while, asks the service why, and tells it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import anyio
import msgspec
import structlog

from orchestrator.accounts.batch import BatchAccount
from orchestrator.errors import NotFoundError, OrchestratorError
from orchestrator.events import (
    Event,
    NodeStateChanged,
    OutputsDownloaded,
    PoolChanged,
    Publish,
    RunStalled,
    TaskFailed,
    TasksSubmitted,
    TaskStateChanged,
    utc_now,
)
from orchestrator.limits import Limits
from orchestrator.states import FailureInfo, StallReason, TaskSnapshot, WaitingTask
from orchestrator.tracker import Picture, PoolTracker, TaskTracker, stall_reasons
from orchestrator.tracker.pool_trouble import WORKING

log = structlog.get_logger()

_MOVES = (NodeStateChanged, OutputsDownloaded, PoolChanged, TasksSubmitted, TaskStateChanged)
_LOOKED_AT = 20
_DEPENDED_ON = 10


async def take_picture(*, job_id: str, batch: BatchAccount, pool: PoolTracker, seen: Picture) -> Picture:
    """Ask the service what may explain a standstill: a handful of requests, however large the job.

    Args:
        job_id: of the job.
        batch: where.
        pool: has the last look at the pool.
        seen: what is known without asking: counts, failures, an outage.

    Returns:
        The picture.

    Raises:
        OrchestratorError: the service refuses or does not answer.
    """
    waiting = await batch.care.waiting_tasks(job_id, most=_LOOKED_AT)
    works = any(node.state in WORKING for node in pool.nodes)
    return msgspec.structs.replace(
        seen,
        trouble=pool.stall_reasons(),
        pool=pool.pool,
        nodes=pool.nodes,
        job=await batch.get_job(job_id),
        waiting=waiting,
        depended=await _depended(job_id, batch, waiting),
        preparations=await batch.care.preparations(job_id, most=_LOOKED_AT),
        # The list is long, and tells nothing of a pool whose nodes run.
        images=() if works else await batch.supported_images(),
        now=utc_now(),
    )


async def _depended(
    job_id: str, batch: BatchAccount, waiting: tuple[WaitingTask, ...]
) -> dict[str, TaskSnapshot | None]:
    found: dict[str, TaskSnapshot | None] = {}
    for task_id in dict.fromkeys(needed for task in waiting for needed in task.depends_on):
        if len(found) == _DEPENDED_ON:
            break
        try:
            found[task_id] = await batch.get_task(job_id, task_id)
        except NotFoundError:
            found[task_id] = None
    return found


class StallWatch:
    """Tells `RunStalled` when nothing moves, once for the same reasons.

    A run moves while any of its tasks runs, and when a task, a node or the pool is in another state than
    before. It is not asked for reasons before that has been otherwise for `Limits.stall_after`.

    Args:
        run_id: for the events.
        job_id: of the job.
        batch: where.
        pool: the last look at the pool.
        tasks: the last looks at the tasks.
        unfinished: tells how many of the accepted tasks have not ended.
        outage: why looks at the tasks fail, None while they don't.
        publish: told of it.
        limits: `stall_after` and `stall_interval`.
    """

    def __init__(
        self,
        *,
        run_id: str,
        job_id: str,
        batch: BatchAccount,
        pool: PoolTracker,
        tasks: TaskTracker,
        unfinished: Callable[[], int],
        outage: Callable[[], str | None],
        publish: Publish,
        limits: Limits,
    ) -> None:
        self._run_id = run_id
        self._job_id = job_id
        self._batch = batch
        self._pool = pool
        self._tasks = tasks
        self._unfinished = unfinished
        self._outage = outage
        self._publish = publish
        self._limits = limits
        self._moved = anyio.current_time()
        self._failures: Counter[FailureInfo] = Counter()
        self._asked: Picture | None = None
        self._told: tuple[StallReason, ...] = ()

    def note(self, event: Event) -> None:
        """Take from an event that something moved; called with each that is published."""
        if isinstance(event, _MOVES):
            self._moved = anyio.current_time()
            self._asked, self._told = None, ()
        if isinstance(event, TaskFailed) and event.failure is not None:
            self._failures[event.failure] += 1

    def known(self) -> tuple[StallReason, ...]:
        """The reasons as far as they are known without asking now."""
        seen = self._seen()
        if (asked := self._asked) is not None:
            seen = msgspec.structs.replace(
                seen,
                job=asked.job,
                waiting=asked.waiting,
                depended=asked.depended,
                preparations=asked.preparations,
                images=asked.images,
                now=asked.now,
            )
        return stall_reasons(seen)

    async def run(self) -> None:
        """Watch until cancelled."""
        while True:
            still = anyio.current_time() - self._moved
            if still < self._limits.stall_after:
                await anyio.sleep(self._limits.stall_after - still)
                continue
            seen = self._seen()
            # A long task is no standstill; that nobody knows how the tasks are is one.
            if seen.unfinished and (not seen.running or seen.outage):
                await self._tell(seen)
            await anyio.sleep(self._limits.stall_interval)

    async def _tell(self, seen: Picture) -> None:
        if seen.outage is None:
            try:
                self._asked = await take_picture(
                    job_id=self._job_id, batch=self._batch, pool=self._pool, seen=seen
                )
            except OrchestratorError as error:
                log.warning("stall.not_explained", job=self._job_id, error=str(error))
        reasons = self.known()
        moved = anyio.current_time() - self._moved < self._limits.stall_after
        if moved or not reasons or reasons == self._told:
            return
        self._told = reasons
        await self._publish(RunStalled(run_id=self._run_id, unfinished=seen.unfinished, reasons=reasons))

    def _seen(self) -> Picture:
        return Picture(
            trouble=self._pool.stall_reasons(),
            pool=self._pool.pool,
            nodes=self._pool.nodes,
            failures=dict(self._failures),
            unfinished=self._unfinished(),
            running=self._tasks.running_count,
            outage=self._outage(),
        )
