"""How a run begins: written down, so that it can be taken up again, and told."""

from __future__ import annotations

from orchestrator.accounts.account import Account
from orchestrator.events import RunResumed, RunStarted
from orchestrator.journal import Journal
from orchestrator.runtime.few_threads import in_few_threads
from orchestrator.runtime.history import RunHistory
from orchestrator.spec.keep import encode_plan, fingerprint
from orchestrator.spec.plan import RunPlan


async def write_down(plan: RunPlan, account: Account, journal: Journal) -> None:
    """Write down what the run is to do and where, before it does any of it.

    Raises:
        JournalError: it can't be written.
    """
    await journal.begin_run(
        plan.run_id,
        job_id=plan.job_id,
        pool_id=plan.pool_id,
        account=account.name,
        endpoint=account.endpoint,
        fingerprint=await in_few_threads(fingerprint, plan),
        plan=await in_few_threads(encode_plan, plan),
    )


def run_started(plan: RunPlan, account: Account) -> RunStarted:
    """The run's first event."""
    return RunStarted(
        run_id=plan.run_id,
        job_id=plan.job_id,
        pool_id=plan.pool_id,
        inputs=len(plan.inputs),
        tasks=len(plan.tasks),
        account=account.name,
        download_dir=plan.download_dir,
    )


def run_resumed(plan: RunPlan, past: RunHistory) -> RunResumed:
    """What is told when a run goes on."""
    return RunResumed(
        run_id=plan.run_id,
        job_id=plan.job_id,
        run_state=past.state,
        unfinished=len(past.unfinished),
    )
