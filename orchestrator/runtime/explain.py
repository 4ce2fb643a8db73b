"""Why a job does not get on, asked of the service alone: no journal, no run of this program."""

from __future__ import annotations

from collections import Counter
from contextlib import aclosing

import msgspec

from orchestrator.accounts.batch import BatchAccount
from orchestrator.errors import NotFoundError, SpecError
from orchestrator.spec.marks import RUN_KEY
from orchestrator.stages.stall import take_picture
from orchestrator.states import FailureInfo, JobSnapshot, JobState, StallReason
from orchestrator.tracker import Picture, PoolTracker, stall_reasons

_FAILED = "state eq 'completed' and executionInfo/result eq 'failure'"


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """How a job stands.

    Args:
        job: its id.
        state: of the job.
        pool: the id of its pool, None if it has none.
        active: tasks that wait.
        running: tasks that run, or whose node is being prepared.
        succeeded: tasks that ended well.
        failed: tasks that ended as failures.
        reasons: why it does not get on; empty where tasks run or none is left, and nothing is wrong.
    """

    job: str
    state: JobState
    pool: str | None
    active: int
    running: int
    succeeded: int
    failed: int
    reasons: tuple[StallReason, ...]


async def explain(name: str, batch: BatchAccount) -> Explanation:
    """Look at a job and its pool, and tell.

    Args:
        name: a job's id, or a run's.
        batch: where.

    Raises:
        SpecError: there is no such job, and no job of such a run.
        OrchestratorError: the service refuses or does not answer.
    """
    job = await _find(name, batch)
    pool = PoolTracker("", job.pool_id or "")
    if job.pool_id is not None:
        try:
            pool.observe_pool(await batch.get_pool(job.pool_id))
            pool.observe_nodes(await batch.list_nodes(job.pool_id))
        except NotFoundError:
            pool.observe_missing()
    counts = await batch.task_counts(job.id)
    seen = Picture(
        failures=await _failures(job.id, batch),
        unfinished=counts.active + counts.running,
        running=counts.running,
    )
    reasons: tuple[StallReason, ...] = ()
    if seen.unfinished or seen.failures:
        reasons = stall_reasons(await take_picture(job_id=job.id, batch=batch, pool=pool, seen=seen))
    return Explanation(
        job=job.id,
        state=job.state,
        pool=job.pool_id,
        active=counts.active,
        running=counts.running,
        succeeded=counts.succeeded,
        failed=counts.failed,
        reasons=reasons,
    )


async def _find(name: str, batch: BatchAccount) -> JobSnapshot:
    try:
        return await batch.get_job(name)
    except NotFoundError:
        pass
    for job in await batch.list_jobs():
        if dict(job.metadata).get(RUN_KEY) == name:
            return job
    raise SpecError(f"the account has no job {name}, and none of a run {name}", where="RUN|JOB")


async def _failures(job_id: str, batch: BatchAccount) -> dict[FailureInfo, int]:
    """What tasks failed of, from the first page of those that did."""
    found: Counter[FailureInfo] = Counter()
    async with aclosing(batch.list_tasks(job_id, filter=_FAILED)) as pages:
        async for page in pages:
            found.update(task.failure for task in page if task.failure is not None)
            break
    return dict(found)
