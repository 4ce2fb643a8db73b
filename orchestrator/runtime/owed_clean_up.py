"""Deletes what runs that are over have left, since the service did not answer, or they were cut short.

It goes by each run's own policy and outcome, as its clean-up would have. What it does is logged; the runs
have told their last event already.
"""

from __future__ import annotations

import structlog

from orchestrator.accounts.account import Account
from orchestrator.errors import ConfigError, JournalError, RunHeldError, error_text
from orchestrator.events import CleanupFailed, DownloadFailed, Event, JobSettled
from orchestrator.handlers import CleanupHandler, LogHandler
from orchestrator.journal import Journal, RunRecord
from orchestrator.limits import Limits
from orchestrator.runtime.assembly import has_release
from orchestrator.runtime.retaken import read_plan
from orchestrator.runtime.run_ledger import RunLedger
from orchestrator.runtime.whereabouts import refuse_elsewhere
from orchestrator.states import RunOutcome

log = structlog.get_logger()

_APPLICATION = "application"


class OwedCleanUp:
    """Of all runs of a journal that are over, on one account.

    Args:
        journal: what they have created and not deleted.
        account: where.
        limits: `cleanup_timeout` bounds the clean-up of each run.
    """

    def __init__(self, journal: Journal, account: Account, *, limits: Limits) -> None:
        self._journal = journal
        self._account = account
        self._limits = limits
        self._left: list[str] = []
        self._used: set[str] = set()

    async def run(self) -> tuple[str, ...]:
        """Delete what can be deleted now, one run after the other.

        Returns:
            What is left and may cost money, as `kind id: reason`.

        Raises:
            JournalError: the journal can't be read or written.
            ServiceError, UnreachableError: whether a run was here could not be found out.
        """
        owed: dict[str, list[tuple[str, str]]] = {}
        for one in await self._journal.owed():
            owed.setdefault(one.run_id, []).append((one.kind, one.resource_id))
        for run_id, things in owed.items():
            if all(kind == _APPLICATION and name in self._used for kind, name in things):
                continue  # many runs may owe the same one, and somebody still uses it
            record = await self._journal.run(run_id)
            if record is None or record.ended_at is None or record.account != self._account.name:
                continue
            try:
                await self._clean_up_held(record)
            except (ConfigError, RunHeldError) as error:
                log.info("clean_up.not_here", run=run_id, error=error_text(error))
            still = await self._journal.owed(run_id)
            self._used.update(one.resource_id for one in still if one.kind == _APPLICATION)
        return tuple(self._left)

    async def _clean_up_held(self, record: RunRecord) -> None:
        hold = await self._journal.hold(record.run_id)
        try:
            await refuse_elsewhere(record, self._account, self._limits)
            await self._clean_up(record)
        finally:
            hold.release()

    async def _clean_up(self, record: RunRecord) -> None:
        run_id = record.run_id
        try:
            plan = await read_plan(self._journal, run_id)
        except JournalError as error:
            log.warning("clean_up.no_plan", run=run_id, error=error_text(error))
            return
        handler = CleanupHandler(
            self._told,
            job_id=plan.job_id,
            pool_id=plan.pool_id,
            has_release=has_release(plan),
            policy=plan.spec.cleanup,
            batch=self._account.batch,
            storage=self._account.storage,
            ledger=RunLedger(self._journal, run_id),
            ask=None,
            limits=self._limits,
        )
        undelivered = await self._journal.events(run_id, types=(DownloadFailed,), limit=1)
        handler.resume(deleted=(), kept=(), reused=False, undelivered=len(undelivered))
        await handler.handle(
            JobSettled(
                run_id=run_id,
                job_id=plan.job_id,
                outcome=RunOutcome(record.outcome or RunOutcome.ERROR),
                accepted=0,
                succeeded=0,
                failed=0,
                abandoned=0,
                missing_outputs=0,
            )
        )

    async def _told(self, *events: Event) -> None:
        for event in events:
            await LogHandler().handle(event)
            if isinstance(event, CleanupFailed):
                self._left.extend(f"{kind} {name}: {reason}" for kind, name, reason in event.leftovers)
