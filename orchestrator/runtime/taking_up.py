"""What the stages of a run that is taken up again need not do, and what they have to find as it was."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from itertools import compress
from pathlib import Path

from orchestrator.accounts.batch import BatchAccount
from orchestrator.errors import OrchestratorError, StagingError
from orchestrator.limits import Limits
from orchestrator.runtime.history import RunHistory
from orchestrator.spec.plan import RunPlan
from orchestrator.stages.job import find_own_job
from orchestrator.stages.package import PackedApplication, pack_application
from orchestrator.stages.staging import Staged


async def has_job(plan: RunPlan, past: RunHistory, batch: BatchAccount, limits: Limits) -> bool:
    """Whether this run has created its job already, before its program died.

    Raises:
        OrchestratorError: it had, and the job is gone; or somebody else's job of that id is there.
    """
    found = await find_own_job(job_id=plan.job_id, run_id=plan.run_id, batch=batch, limits=limits)
    if found is None and past.job_created_at is not None:
        raise OrchestratorError(
            f"job {plan.job_id} is gone from the service: somebody deleted it, or the service has ended and "
            "lost what it held; the run is lost, and has to be begun anew"
        )
    return found is not None


async def pack_again(
    plan: RunPlan, past: RunHistory, start_files: Sequence[tuple[Path, str, str | None]]
) -> PackedApplication | None:
    """Pack the application; tasks that were added already name the folder of what it was then.

    Raises:
        StagingError: it is not what it was, or can't be read.
    """
    packed = await pack_application(plan.application, start_files)
    if past.application is not None and (packed is None or packed.container != past.application):
        raise StagingError(
            "was changed after the run began, and not every task had been added when its program died; put "
            "the old files back, or begin a new run",
            path="the application",
        )
    return packed


def settled_tasks(past: RunHistory) -> Collection[str]:
    """The tasks that the service took or refused: they are not added again."""
    return past.accepted | past.rejected


def wanted_inputs(plan: RunPlan, past: RunHistory) -> Iterator[int]:
    """The inputs to bring, in order: of a run that goes on, those of the tasks still to be added."""
    indexes = range(len(plan.inputs))
    if past.last_sequence == 0:
        return iter(indexes)
    settled, wanted = settled_tasks(past), bytearray(len(indexes))
    for task in plan.tasks:
        if task.id not in settled:
            for index, _, _ in task.inputs:
                wanted[index] = True
    return compress(indexes, wanted)


def staged_before(past: RunHistory) -> Staged:
    """What need not be told as staged again."""
    return Staged(
        inputs=past.staged,
        application=past.brought,
        started=past.staging_started,
        completed=past.staging_completed,
    )
