"""Gives up the tasks of a run that have not ended, each with what it has written so far."""

from __future__ import annotations

from orchestrator.errors import RunCancelledError, TimeLimitError, TooManyFailedError
from orchestrator.events import Publish, SubmissionCompleted, TaskAbandoned
from orchestrator.handlers import DownloadHandler
from orchestrator.runtime.work import RunWork
from orchestrator.spec.plan import RunPlan
from orchestrator.states import RunOutcome, TaskKey


def outcome_of(error: Exception) -> RunOutcome:
    """How a run ends that this error ended. Pure.

    Args:
        error: of the run.
    """
    match error:
        case TimeLimitError():
            return RunOutcome.TIMED_OUT
        case TooManyFailedError():
            return RunOutcome.TOO_MANY_FAILED
        case RunCancelledError():
            return RunOutcome.CANCELLED
        case _:
            return RunOutcome.ERROR


async def abandon(
    plan: RunPlan, work: RunWork, download: DownloadHandler, publish: Publish, *, reason: str
) -> None:
    """Tell of every accepted task that has not ended, and that no task will be added any more.

    Args:
        plan: of the run.
        work: knows the tasks.
        download: brings what running tasks have written, before their job is deleted.
        publish: told of it.
        reason: why.
    """
    logs = await download.bring_logs(work.running)
    for task_id in work.unfinished:
        key, outputs = TaskKey(plan.job_id, task_id), logs.get(task_id, ())
        await publish(TaskAbandoned(run_id=plan.run_id, key=key, reason=reason, outputs=outputs))
    if not work.all_submitted:
        await publish(
            SubmissionCompleted(
                run_id=plan.run_id, job_id=plan.job_id, accepted=work.accepted, rejected=work.rejected
            )
        )
