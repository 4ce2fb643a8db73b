"""Stage: creates the job, bound to its pool, with the tasks that prepare and release its nodes."""

from __future__ import annotations

from typing import Any

import anyio

from orchestrator.accounts.batch import BatchAccount, Creation
from orchestrator.errors import ConflictError, NotFoundError
from orchestrator.events import JobCreated, Publish
from orchestrator.limits import Limits
from orchestrator.spec.marks import RUN_KEY
from orchestrator.stages.ledger import Ledger, ResourceKind
from orchestrator.states import JobSnapshot, JobState


async def find_own_job(
    *, job_id: str, run_id: str, batch: BatchAccount, limits: Limits
) -> JobSnapshot | None:
    """Make sure that nobody else's job of that id stands in the way, before anything is staged or billed.

    A job that is being deleted is waited for.

    Args:
        job_id: of the job.
        run_id: of the run; its own job, which names it, is of its making before its program died.
        batch: where.
        limits: for `deletion_timeout`.

    Returns:
        The run's own job; None if there is none.

    Raises:
        ConflictError: there is somebody else's, or it was being deleted and did not go away in
            `limits.deletion_timeout`.
    """
    with anyio.move_on_after(limits.deletion_timeout):
        while True:
            try:
                found = await batch.get_job(job_id)
            except NotFoundError:
                return None
            if dict(found.metadata).get(RUN_KEY) == run_id and found.state is not JobState.DELETING:
                return found
            if found.state is not JobState.DELETING:
                raise _existing_job(job_id, found.state)
            await anyio.sleep(limits.deletion_poll_interval)
    raise ConflictError(
        f"job {job_id} is being deleted and still there after {limits.deletion_timeout:g} s; wait until it "
        "is gone, or put {run} in the job's id",
        operation=f"create job {job_id}",
        status=409,
        code="JobBeingDeleted",
    )


def _existing_job(job_id: str, state: JobState) -> ConflictError:
    return ConflictError(
        f"job {job_id} exists and is {state}; delete it, or put {{run}} in the job's id",
        operation=f"create job {job_id}",
        status=409,
        code="JobExists",
    )


async def create_job(
    *,
    run_id: str,
    body: dict[str, Any],
    batch: BatchAccount,
    ledger: Ledger,
    publish: Publish,
) -> None:
    """Create the job that the body describes.

    Args:
        run_id: of the run; the body's metadata names it too.
        body: made by `accounts.bodies.job_body`.
        batch: where.
        ledger: the job is written there before it is created.
        publish: told of the job.

    Raises:
        ConflictError: a job of that id exists and is not this run's.
        ServiceError, UnreachableError: the service refused or did not answer.
    """
    job_id = str(body["id"])
    await ledger.owe(ResourceKind.JOB, job_id)

    async def create() -> Creation:
        # A request that is cancelled may still be carried out, after clean-up has found nothing: its outcome
        # must be known before the cancellation goes on. `Limits.operation_timeout` bounds it.
        with anyio.CancelScope(shield=True):
            creation = await batch.create_job(body)
        return creation  # noqa: RET504 - to mypy the scope might swallow

    try:
        creation = await batch.waiting.through("job", run_id, create)
    except ConflictError as error:
        if error.code != "JobExists":
            await ledger.settle(ResourceKind.JOB, job_id)
            raise
        # A request of this run's, whose program died before the answer, may have been carried out late.
        creation = Creation.PERHAPS_OURS
    if creation is Creation.PERHAPS_OURS:
        found = await batch.get_job(job_id)
        if dict(found.metadata).get(RUN_KEY) != run_id:
            # It is not of our making: clean-up must not touch it.
            await ledger.settle(ResourceKind.JOB, job_id)
            raise _existing_job(job_id, found.state)
    await publish(JobCreated(run_id=run_id, job_id=job_id, pool_id=str(body["poolInfo"]["poolId"])))
