"""Which unfinished run a request means: one by its id, all of an account, or the one of a job."""

from __future__ import annotations

from orchestrator.accounts.account import Account
from orchestrator.errors import ConfigError, RunHeldError, SpecError
from orchestrator.journal import Journal, RunRecord
from orchestrator.runtime.few_threads import in_few_threads
from orchestrator.spec.keep import fingerprint
from orchestrator.spec.plan import RunPlan

_MOST = 10_000


async def unfinished_runs(
    journal: Journal, account: str, *, job_id: str | None = None
) -> tuple[RunRecord, ...]:
    """The runs of an account whose end was not written down, the first begun first.

    Args:
        journal: where they are.
        account: the name of the account.
        job_id: only those of this job; all by default.

    Raises:
        JournalError: the journal can't be read.
    """
    records = await journal.runs(unfinished=True, job_id=job_id, limit=_MOST)
    return tuple(sorted((r for r in records if r.account == account), key=lambda r: r.started_at))


async def without_a_program(journal: Journal, account: str) -> tuple[RunRecord, ...]:
    """Those of them that no living program drives.

    Raises:
        JournalError: the journal can't be read, or the folder of the locks can't be written.
    """
    found: list[RunRecord] = []
    for record in await unfinished_runs(journal, account):
        try:
            hold = await journal.hold(record.run_id)
        except RunHeldError:
            continue
        hold.release()
        found.append(record)
    return tuple(found)


async def named_run(journal: Journal, run_id: str, account: Account) -> RunRecord:
    """The unfinished run of that id.

    Raises:
        ConfigError: there is none, it is over, or it runs on another account.
    """
    record = await journal.run(run_id)
    where = f"run {run_id}"
    if record is None:
        raise ConfigError("the journal knows no such run; `orchestrator runs` lists them", where=where)
    if record.ended_at is not None:
        raise ConfigError(f"it is over already ({record.outcome})", where=where)
    if record.account != account.name:
        raise ConfigError(
            f"it runs on account {record.account}, and this is {account.name}; name that account", where=where
        )
    return record


async def run_of_job(journal: Journal, plan: RunPlan, account: Account) -> RunRecord | None:
    """The unfinished run of the very job that is submitted again.

    Args:
        journal: where runs are.
        plan: of the job that is submitted.
        account: where.

    Returns:
        The run; None if that job has none.

    Raises:
        SpecError: that job is under way, and was begun from another job file or with other inputs.
    """
    same = await unfinished_runs(journal, account.name, job_id=plan.job_id)
    if not same:
        return None
    record = same[-1]
    if record.fingerprint != await in_few_threads(fingerprint, plan):
        raise SpecError(
            f"job {record.job_id} is not over: run {record.run_id} began it from another job file or with "
            f"other inputs; take that up by `orchestrator resume {record.run_id}`, or give this job another "
            "id, with {run} in it for example",
            where="id",
        )
    return record
