"""One run from the first file to the last clean-up: calls the stages, joins the handlers, tells the end."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any

import anyio
import anyio.abc
import structlog

from orchestrator.accounts.account import Account
from orchestrator.bus import EventBus, Policy, Subscription
from orchestrator.errors import OrchestratorError, RunCancelledError, TimeLimitError
from orchestrator.events import (
    CleanupCompleted,
    Event,
    JobSettled,
    RunFinished,
    RunInterrupted,
    RunStarted,
    RunStateChanged,
    SubmissionCompleted,
    TaskAbandoned,
    TaskCompleted,
    TasksRejected,
    TasksSubmitted,
    utc_now,
)
from orchestrator.handlers.progress import Progress
from orchestrator.journal import Journal
from orchestrator.limits import Limits
from orchestrator.results import JobResult
from orchestrator.runtime.assembly import RunHandlers, assemble
from orchestrator.runtime.job_result import job_result
from orchestrator.runtime.preparation import RunPreparation
from orchestrator.runtime.result_stream import ResultStream
from orchestrator.runtime.run_ledger import RunLedger
from orchestrator.runtime.time_limit import time_limit_error
from orchestrator.spec.plan import RunPlan
from orchestrator.stages.submit import submit_tasks
from orchestrator.stages.watch import TaskWatch, say_all_added
from orchestrator.stages.watch_pool import watch_pool
from orchestrator.states import RunOutcome, RunState, TaskKey
from orchestrator.tracker import PoolTracker, TaskTracker

log = structlog.get_logger()

_STOP_GRACE = 1.0

Listener = tuple[tuple[type[Event], ...], Callable[[Any], Awaitable[None] | None], str]
Ask = Callable[[str, str], Awaitable[bool]]


class Run:
    """Drives one run in the owner's task group.

    Args:
        plan: what is to be done.
        account: where.
        journal: what was created is written there.
        limits: the numbers it is held to.
        start: runs a coroutine function in the owner's task group.
        ask: answers the policy `ask`, None where nobody can be asked.
        environ: where `env:NAME` references are looked up.
        listeners: the caller's handlers.
    """

    def __init__(
        self,
        *,
        plan: RunPlan,
        account: Account,
        journal: Journal,
        limits: Limits,
        start: Callable[[Callable[[], Awaitable[None]], str], None],
        ask: Ask | None,
        environ: Mapping[str, str],
        listeners: tuple[Listener, ...],
    ) -> None:
        self.plan = plan
        self.results = ResultStream()
        self.error: Exception | None = None
        self._account = account
        self._journal = journal
        self._limits = limits
        self._start = start
        self._environ = environ
        self._started_at = utc_now()
        self._state: RunState | None = None
        self._ledger = RunLedger(journal, plan.run_id)
        self._bus = EventBus(plan.run_id, limits=limits, start=start)
        self._tasks = TaskTracker(plan.run_id, plan.job_id)
        self._pool = PoolTracker(plan.run_id, plan.pool_id)
        self._unfinished: set[str] = set()
        self._accepted = 0
        self._rejected = 0
        self._all_submitted = False
        self._scope = anyio.CancelScope()
        self._cancelled: str | None = None
        self._stopped = False
        self._settled: asyncio.Event = asyncio.Event()
        self._settlement: JobSettled | None = None
        self._cleaned: asyncio.Event = asyncio.Event()
        self._cleanup: CleanupCompleted | None = None
        self._finished: asyncio.Event = asyncio.Event()
        self._result: JobResult | None = None
        self._handlers: RunHandlers = assemble(
            plan=plan,
            account=account,
            ledger=self._ledger,
            bus=self._bus,
            publish=self._publish,
            deliver=self.results.deliver,
            start=start,
            ask=ask,
            limits=limits,
        )
        self._bus.subscribe(self._note, (JobSettled, CleanupCompleted), policy=Policy.WAIT, name="run")
        for types, callback, name in listeners:
            self.subscribe(types, callback, name)

    @property
    def progress(self) -> Progress:
        """Where the run is now."""
        return self._handlers.progress.snapshot

    @property
    def finished(self) -> bool:
        """Whether the run is over, clean-up included."""
        return self._finished.is_set()

    def subscribe(
        self, types: tuple[type[Event], ...], callback: Callable[[Any], Awaitable[None] | None], name: str
    ) -> Subscription:
        """Add a caller's handler; it never makes the run wait."""
        return self._bus.subscribe(callback, types, policy=Policy.SPILL, name=name)

    def listen(self, types: tuple[type[Event], ...]) -> AsyncIterator[Event]:
        """The events from now on, as an iterator that ends with the run."""
        return self._bus.stream(types, Policy.SPILL)

    def cancel(self, reason: str) -> None:
        """End the work; settling and clean-up follow."""
        if self._cancelled is None and not self._settled.is_set():
            self._cancelled = reason
            self._scope.cancel()

    def stop(self) -> None:
        """End everything at once, without clean-up: what is left is named in the result."""
        self._stopped = True
        self._cancelled = self._cancelled or "stopped"
        self._scope.cancel()
        self._handlers.stop("stopped before the clean-up was over")

    async def ended(self) -> None:
        """Wait until everything is over."""
        await self._finished.wait()

    async def wait(self) -> JobResult:
        """Wait for the end of everything."""
        await self._finished.wait()
        if self._result is None:
            raise RunCancelledError("the orchestrator was closed before the run was over")
        return self._result

    async def drive(self) -> None:
        """Do everything; never raises for what the run does."""
        try:
            await self._journal.begin_run(
                self.plan.run_id,
                job_id=self.plan.job_id,
                pool_id=self.plan.pool_id,
                account=self._account.name,
            )
            await self._publish(self._run_started())
            await self._work_until_stopped()
            await self._settle()
            await self._clean_up()
        except Exception as error:
            # The border of the run: whatever it is, what was created must still be named in the result.
            log.exception("run.broken", run=self.plan.run_id)
            self.error = self.error or error
        finally:
            with anyio.CancelScope(shield=True):
                await self._finish()

    # --- work ---------------------------------------------------------------------------------------------

    async def _work_until_stopped(self) -> None:
        """Work to the last task's end; whatever stops it earlier becomes `self.error`."""
        outcome = RunOutcome.ERROR
        try:
            with self._scope:
                await self._work()
        except TimeLimitError as error:
            self.error, outcome = error, RunOutcome.TIMED_OUT
        except Exception as error:
            if not isinstance(error, OrchestratorError):
                log.exception("run.defect", run=self.plan.run_id)
            self.error = error
        if self._cancelled is not None and self._scope.cancelled_caught:
            self.error, outcome = RunCancelledError(self._cancelled), RunOutcome.CANCELLED
        if self.error is not None:
            await self._give_up(outcome, str(self.error))

    async def _work(self) -> None:
        preparation = RunPreparation(
            plan=self.plan,
            account=self._account,
            ledger=self._ledger,
            publish=self._publish,
            limits=self._limits,
            environ=self._environ,
        )
        with contextlib.closing(preparation):
            await self._enter(RunState.STAGING)
            await preparation.stage()
            await self._submit_while_staging(preparation)

    async def _submit_while_staging(self, preparation: RunPreparation) -> None:
        """The first task may run before the last file is up: submission takes the files as they arrive."""
        failures: list[OrchestratorError] = []
        async with anyio.create_task_group() as group:

            async def beside(work: Callable[[], Awaitable[None]]) -> None:
                # An error is kept here, since the group would wrap it; the first one ends the others.
                try:
                    await work()
                except OrchestratorError as error:
                    failures.append(error)
                    group.cancel_scope.cancel()

            async def submit_and_watch() -> None:
                await self._enter(RunState.PROVISIONING)
                await preparation.provision()
                await self._enter(RunState.SUBMITTING)
                group.start_soon(beside, self._watch_pool)
                await self._submit_and_watch(preparation, group)
                group.cancel_scope.cancel()

            group.start_soon(beside, preparation.stage_inputs)
            group.start_soon(beside, submit_and_watch)
        if failures:
            raise failures[0]

    async def _watch_pool(self) -> None:
        await watch_pool(
            pool_id=self.plan.pool_id,
            batch=self._account.batch,
            tracker=self._pool,
            publish=self._publish,
            limits=self._limits,
        )

    async def _submit_and_watch(self, preparation: RunPreparation, group: anyio.abc.TaskGroup) -> None:
        ended = asyncio.Event()
        verdict: list[str | OrchestratorError | None] = []

        async def watch() -> None:
            looker = TaskWatch(
                job_id=self.plan.job_id,
                batch=self._account.batch,
                tracker=self._tasks,
                publish=self._publish,
                limits=self._limits,
                expected=lambda: self._accepted if self._all_submitted else None,
            )
            try:
                verdict.append(await looker.run())
            except OrchestratorError as error:
                verdict.append(error)
            ended.set()

        group.start_soon(watch)
        await submit_tasks(
            run_id=self.plan.run_id,
            job_id=self.plan.job_id,
            tasks=preparation.task_bodies(),
            batch=self._account.batch,
            publish=self._publish,
            limits=self._limits,
        )
        await say_all_added(job_id=self.plan.job_id, batch=self._account.batch)
        await self._enter(RunState.RUNNING)
        with anyio.move_on_after(self.plan.spec.timeout.seconds) as limit:
            await ended.wait()
        if limit.cancelled_caught:
            unfinished = sorted(self._unfinished)
            raise time_limit_error(
                self.plan.spec.timeout,
                accepted=self._accepted,
                unfinished=unfinished,
                reasons=(*self._pool.reasons(), *self._tasks.reasons(unfinished)),
            )
        if isinstance(verdict[0], OrchestratorError):
            raise verdict[0]
        if verdict[0] is not None:
            raise OrchestratorError(verdict[0])

    # --- the end ------------------------------------------------------------------------------------------

    async def _give_up(self, outcome: RunOutcome, reason: str) -> None:
        run_id, job_id = self.plan.run_id, self.plan.job_id
        await self._publish(RunInterrupted(run_id=run_id, outcome=outcome, reason=reason))
        for task_id in sorted(self._unfinished):
            await self._publish(TaskAbandoned(run_id=run_id, key=TaskKey(job_id, task_id), reason=reason))
        if not self._all_submitted:
            await self._publish(
                SubmissionCompleted(
                    run_id=run_id, job_id=job_id, accepted=self._accepted, rejected=self._rejected
                )
            )

    async def _settle(self) -> None:
        await self._enter(RunState.SETTLING)
        with anyio.move_on_after(self._limits.settle_timeout) as limit:
            await self._settled.wait()
        if limit.cancelled_caught:
            self._handlers.download.give_up(f"not here {self._limits.settle_timeout:g} s after the last task")
            with anyio.fail_after(self._limits.close_grace):
                await self._settled.wait()
        self.results.end(self.error)

    async def _clean_up(self) -> None:
        await self._enter(RunState.CLEANING)
        with anyio.fail_after(self._limits.cleanup_timeout):
            await self._cleaned.wait()

    async def _finish(self) -> None:
        self.results.end(self.error)
        grace = _STOP_GRACE if self._stopped else self._limits.close_grace
        owed = tuple(f"{kind} {name}" for kind, name in await self._ledger.owed())
        self._result = job_result(
            plan=self.plan,
            started_at=self._started_at,
            settlement=self._settlement,
            collected=self._handlers.collect,
            rejected=self._rejected,
            cleanup=self._cleanup,
            owed=owed,
            error=self.error,
        )
        await self._journal.finish_run(self.plan.run_id, outcome=self._result.outcome.value)
        with anyio.move_on_after(grace):
            await self._bus.drain()
        with anyio.move_on_after(grace):
            await self._enter(RunState.FINISHED)
            await self._publish(RunFinished(run_id=self.plan.run_id, result=self._result))
        await self._bus.close(grace)
        await self._handlers.download.aclose()
        self._finished.set()

    # --- telling ------------------------------------------------------------------------------------------

    async def _publish(self, event: Event) -> None:
        """Note what the run itself must know, then put it on the bus, whole: a cancellation waits for it."""
        match event:
            case TasksSubmitted():
                # A look at the tasks may have seen one end before its request was answered.
                self._unfinished.update(self._tasks.unfinished(event.task_ids))
                self._accepted += len(event.task_ids)
            case TasksRejected():
                self._rejected += len(event.rejections)
            case SubmissionCompleted():
                self._all_submitted = True
            case TaskCompleted() | TaskAbandoned():
                self._unfinished.discard(event.key.task_id)
        with anyio.CancelScope(shield=True):
            await self._bus.publish(event)

    async def _note(self, event: Event) -> None:
        match event:
            case JobSettled():
                self._settlement = event
                self._settled.set()
            case CleanupCompleted():
                self._cleanup = event
                self._cleaned.set()

    async def _enter(self, state: RunState) -> None:
        previous, self._state = self._state, state
        await self._publish(RunStateChanged(run_id=self.plan.run_id, previous=previous, state=state))

    def _run_started(self) -> RunStarted:
        return RunStarted(
            run_id=self.plan.run_id,
            job_id=self.plan.job_id,
            pool_id=self.plan.pool_id,
            inputs=len(self.plan.inputs),
            tasks=len(self.plan.tasks),
            account=self._account.name,
            download_dir=self.plan.download_dir,
        )
