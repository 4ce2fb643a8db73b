"""The result of a run, from what its handlers counted and its clean-up did."""

from __future__ import annotations

from datetime import datetime

from orchestrator.errors import error_text
from orchestrator.events import CleanupCompleted, JobSettled, utc_now
from orchestrator.handlers import CollectHandler
from orchestrator.results import JobResult
from orchestrator.spec.plan import RunPlan
from orchestrator.states import RunOutcome


def job_result(
    *,
    plan: RunPlan,
    started_at: datetime,
    settlement: JobSettled | None,
    collected: CollectHandler,
    rejected: int,
    cleanup: CleanupCompleted | None,
    owed: tuple[str, ...],
    error: Exception | None,
) -> JobResult:
    """Put the result together.

    Args:
        plan: of the run.
        started_at: when it began.
        settlement: how its tasks ended; None if it broke before that was known.
        collected: the counts.
        rejected: how many tasks the service refused.
        cleanup: what clean-up did; None if it did not come to its end.
        owed: what the ledger still has, as `kind id`: what is left if clean-up did not end.
        error: what ended the run early.
    """
    outcome = settlement.outcome if settlement else RunOutcome.ERROR
    if error is not None and outcome is RunOutcome.SUCCEEDED:
        outcome = RunOutcome.ERROR  # the tasks went well, what came after them did not
    return JobResult(
        run_id=plan.run_id,
        job_id=plan.job_id,
        pool_id=plan.pool_id,
        outcome=outcome,
        started_at=started_at,
        ended_at=utc_now(),
        download_dir=plan.download_dir,
        tasks=collected.succeeded + collected.failed + collected.abandoned + rejected,
        succeeded=collected.succeeded,
        failed=collected.failed + rejected,
        abandoned=collected.abandoned,
        outputs=collected.outputs,
        output_bytes=collected.output_bytes,
        missing_outputs=collected.missing_outputs,
        leftovers=cleanup.leftovers if cleanup else owed,
        kept=cleanup.kept if cleanup else (),
        error=error_text(error) if error is not None else None,
    )
