"""What a run does about trouble: tells why nothing moves, runs tasks again, ends after too many failures."""

from __future__ import annotations

from collections.abc import Callable

import anyio

from orchestrator.accounts.account import Account
from orchestrator.errors import TooManyFailedError
from orchestrator.events import Event, Publish, TaskFailed
from orchestrator.limits import Limits
from orchestrator.runtime.history import RunHistory
from orchestrator.spec.plan import RunPlan
from orchestrator.stages.reactivate import Reactivation
from orchestrator.stages.stall import StallWatch
from orchestrator.states import FailureClass
from orchestrator.tracker import PoolTracker, Retries, TaskTracker


class RunCare:
    """Of one run.

    Args:
        plan: of the run.
        account: where.
        tasks: the last looks at the tasks.
        pool: the last look at the pool.
        unfinished: tells how many of the accepted tasks have not ended.
        publish: told of everything; it hands each event to `note` then.
        limits: the numbers.
        past: what the run had done before its program died.
    """

    def __init__(
        self,
        *,
        plan: RunPlan,
        account: Account,
        tasks: TaskTracker,
        pool: PoolTracker,
        unfinished: Callable[[], int],
        publish: Publish,
        limits: Limits,
        past: RunHistory,
    ) -> None:
        allowed = plan.spec.retries.allowed()
        retries = Retries({FailureClass(name): times for name, times in allowed.items()})
        for task_id, why in past.retried:
            retries.remember(task_id, why)
        self._most = plan.spec.max_failed_tasks
        self._failed = set(past.failed)
        self._enough = anyio.Event()
        self._outage: Callable[[], str | None] = lambda: None
        self.ends_job = retries.may_happen
        self.reactivation = Reactivation(
            job_id=plan.job_id,
            batch=account.batch,
            tracker=tasks,
            retries=retries,
            publish=publish,
            limits=limits,
        )
        self.stall = StallWatch(
            run_id=plan.run_id,
            job_id=plan.job_id,
            batch=account.batch,
            pool=pool,
            tasks=tasks,
            unfinished=unfinished,
            outage=self._why_silent,
            publish=publish,
            limits=limits,
        )
        self._count()

    def ask_for_outages(self, outage: Callable[[], str | None]) -> None:
        """Take who knows why looks at the tasks fail.

        Args:
            outage: tells it, None while they don't.
        """
        self._outage = outage

    def note(self, event: Event) -> None:
        """Keep what an event says; called once it was told."""
        self.stall.note(event)
        if isinstance(event, TaskFailed):
            self._failed.add(event.key.task_id)
            self._count()

    def reasons(self) -> tuple[str, ...]:
        """Why nothing may move, as sentences."""
        return tuple(reason.text for reason in self.stall.known())

    async def end_after_too_many_failures(self) -> None:
        """Wait until too many tasks have failed, for ever if that is no matter.

        Raises:
            TooManyFailedError: that is so.
        """
        await self._enough.wait()
        failed = len(self._failed)
        raise TooManyFailedError(
            f"{failed} {'task has' if failed == 1 else 'tasks have'} failed, and max_failed_tasks is "
            f"{self._most}: the rest is given up",
            failed=failed,
        )

    def _why_silent(self) -> str | None:
        return self._outage()

    def _count(self) -> None:
        if 0 < self._most <= len(self._failed):
            self._enough.set()
