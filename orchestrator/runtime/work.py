"""The work of a run: from the first file to the end of the last task."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Collection, Mapping

import anyio
import anyio.abc

from orchestrator.accounts.account import Account
from orchestrator.errors import OrchestratorError
from orchestrator.events import (
    Event,
    Publish,
    SubmissionCompleted,
    TaskAbandoned,
    TaskCompleted,
    TasksRejected,
    TasksSubmitted,
    utc_now,
)
from orchestrator.limits import Limits
from orchestrator.runtime.care import RunCare
from orchestrator.runtime.history import RunHistory
from orchestrator.runtime.horizon import longest
from orchestrator.runtime.preparation import RunPreparation
from orchestrator.runtime.run_ledger import RunLedger
from orchestrator.runtime.time_limit import time_limit_error
from orchestrator.spec.plan import RunPlan
from orchestrator.spec.task_set import TaskNumbers, TaskSet
from orchestrator.stages.ownership import Ownership
from orchestrator.stages.reactivate import end_job
from orchestrator.stages.submit import TaskSubmission
from orchestrator.stages.watch import TaskWatch, say_all_added
from orchestrator.stages.watch_pool import watch_pool
from orchestrator.states import RunState
from orchestrator.tracker import PoolTracker, TaskTracker


class RunWork:
    """Calls the stages, and knows which tasks were accepted and have not ended.

    Args:
        plan: what is to be done.
        account: where.
        ledger: what is created is written there first.
        publish: told of everything; it hands each event to `note` then.
        enter: tells the run's next state.
        limits: the numbers.
        environ: where `env:NAME` references are looked up.
        past: what the run had done before its program died; None for a run that begins.
        doubtful: the tasks that it may have added without having heard of it.

    Attributes:
        numbers: of the run's tasks.
        accepted: how many tasks the service took so far.
        rejected: how many it refused so far.
        all_submitted: whether no more will be added.
    """

    def __init__(
        self,
        *,
        plan: RunPlan,
        account: Account,
        ledger: RunLedger,
        publish: Publish,
        enter: Callable[[RunState], Awaitable[None]],
        limits: Limits,
        environ: Mapping[str, str],
        past: RunHistory | None = None,
        doubtful: Collection[str] = (),
    ) -> None:
        self._plan = plan
        self._account = account
        self._ledger = ledger
        self._publish = publish
        self._enter = enter
        self._limits = limits
        self._environ = environ
        self.numbers = numbers = TaskNumbers(plan.tasks)
        self._tasks = TaskTracker(plan.run_id, plan.job_id, numbers)
        self._pool = PoolTracker(plan.run_id, plan.pool_id)
        self._resumed = past
        self._past = past = past or RunHistory()
        self._doubtful = doubtful
        self._tasks.resume(past.completed, ((task_id, *look) for task_id, look in past.looks.items()))
        self._unfinished = TaskSet(numbers, past.unfinished)
        self.accepted = len(past.accepted)
        self.rejected = len(past.rejected)
        self.all_submitted = past.submission is not None
        self._care = RunCare(
            plan=plan,
            account=account,
            tasks=self._tasks,
            pool=self._pool,
            unfinished=lambda: len(self._unfinished),
            publish=publish,
            limits=limits,
            past=past,
        )

    @property
    def unfinished(self) -> list[str]:
        """The accepted tasks that have neither ended nor been given up, by id."""
        return sorted(self._unfinished)

    @property
    def running(self) -> list[str]:
        """Those of them that were running when they were last seen."""
        return self._tasks.running(self.unfinished)

    def note(self, event: Event) -> None:
        """Keep what an event says of the tasks; called once it was told."""
        self._care.note(event)
        match event:
            case TasksSubmitted():
                # A look at the tasks may have seen one end before its request was answered.
                self._unfinished.update(self._tasks.unfinished(event.task_ids))
                self.accepted += len(event.task_ids)
            case TasksRejected():
                self.rejected += len(event.rejections)
            case SubmissionCompleted():
                self.all_submitted = True
            case TaskCompleted() | TaskAbandoned():
                self._unfinished.discard(event.key.task_id)

    async def run(self) -> None:
        """Do it, to the end of the last task.

        Raises:
            TimeLimitError: the job's `timeout` passed.
            OrchestratorError: what kept the work from its end.
        """
        if self.all_submitted and not self._unfinished:
            return  # its program died after the last task's end
        await self._account.pools.join(self._plan.pool_id, self._plan.run_id)
        preparation = RunPreparation(
            plan=self._plan,
            account=self._account,
            ledger=self._ledger,
            publish=self._publish,
            limits=self._limits,
            environ=self._environ,
            past=self._resumed,
        )
        with contextlib.closing(preparation):
            if self.all_submitted:
                await preparation.rejoin()
            else:
                await self._enter(RunState.STAGING)
                await preparation.stage()
            await self._submit_while_staging(preparation)

    async def _submit_while_staging(self, preparation: RunPreparation) -> None:
        """The first task may run before the last file is up: submission takes the files as they arrive."""
        failures: list[Exception] = []
        async with anyio.create_task_group() as group:

            async def beside(work: Callable[[], Awaitable[None]]) -> None:
                # An error is kept here, since the group would wrap it; the first one ends the others.
                try:
                    await work()
                except Exception as error:
                    failures.append(error)
                    group.cancel_scope.cancel()

            async def submit_and_watch() -> None:
                if not self.all_submitted:
                    await self._enter(RunState.PROVISIONING)
                    await preparation.provision()
                    await self._enter(RunState.SUBMITTING)
                group.start_soon(beside, self._watch_pool)
                group.start_soon(beside, self._care.stall.run)
                group.start_soon(beside, self._care.end_after_too_many_failures)
                await self._submit_and_watch(preparation, group)
                group.cancel_scope.cancel()

            group.start_soon(self._stand_for_it)
            group.start_soon(beside, preparation.keep_access)
            if not self.all_submitted:
                group.start_soon(beside, preparation.stage_inputs)
            group.start_soon(beside, submit_and_watch)
        if failures:
            raise failures[0]

    async def _submit(self, preparation: RunPreparation) -> None:
        await TaskSubmission(
            run_id=self._plan.run_id,
            job_id=self._plan.job_id,
            tasks=preparation.task_bodies(),
            batch=self._account.batch,
            publish=self._publish,
            limits=self._limits,
            intend=self._ledger.intend,
            doubtful=self._doubtful,
            accepted=self.accepted,
            rejected=self.rejected,
        ).run()

    def _time_left(self) -> float:
        """Seconds until the job's `timeout`, which goes on while no program is there; then a grace."""
        timeout = float(self._plan.spec.timeout.seconds)
        if self._resumed is None:
            return timeout
        since = self._past.running_since
        passed = (utc_now() - since).total_seconds() if since is not None else 0.0
        return max(timeout - max(passed, 0.0), self._limits.resume_grace)

    async def _stand_for_it(self) -> None:
        await Ownership(
            plan=self._plan,
            batch=self._account.batch,
            storage=self._account.storage,
            limits=self._limits,
            job_lifetime=longest(self._plan.spec, self._limits).seconds,
            fresh=self._resumed is None,
        ).keep()

    async def _watch_pool(self) -> None:
        await watch_pool(
            run_id=self._plan.run_id,
            pool_id=self._plan.pool_id,
            batch=self._account.batch,
            tracker=self._pool,
            publish=self._publish,
            limits=self._limits,
        )

    async def _submit_and_watch(self, preparation: RunPreparation, group: anyio.abc.TaskGroup) -> None:
        ended = asyncio.Event()
        verdict: list[str | OrchestratorError | None] = []

        looker = TaskWatch(
            job_id=self._plan.job_id,
            batch=self._account.batch,
            tracker=self._tasks,
            publish=self._publish,
            limits=self._limits,
            ours=self.numbers.__contains__,
            left=lambda: len(self._unfinished) if self.all_submitted else None,
            reactivation=self._care.reactivation,
        )
        self._care.ask_for_outages(lambda: looker.outage)

        async def watch() -> None:
            try:
                verdict.append(await looker.run())
            except OrchestratorError as error:
                verdict.append(error)
            ended.set()
            looker.looked.set()

        group.start_soon(watch)
        if not self.all_submitted:
            await self._submit(preparation)
        if self._past.running_since is None:
            await say_all_added(
                job_id=self._plan.job_id, change=preparation.last_change(), batch=self._account.batch
            )
        else:
            # What ended while no program was there counts, however late it is by now.
            with anyio.move_on_after(self._limits.operation_timeout):
                await looker.looked.wait()
        await self._enter(RunState.RUNNING)
        with anyio.move_on_after(self._time_left()) as limit:
            await ended.wait()
        if limit.cancelled_caught:
            unfinished = self.unfinished
            raise time_limit_error(
                self._plan.spec.timeout,
                accepted=self.accepted,
                unfinished=unfinished,
                reasons=(*self._care.reasons(), *preparation.reasons(), *self._tasks.reasons(unfinished)),
            )
        if isinstance(verdict[0], OrchestratorError):
            raise verdict[0]
        if verdict[0] is not None:
            raise OrchestratorError(verdict[0])
        if self._care.ends_job:
            await end_job(job_id=self._plan.job_id, batch=self._account.batch)
