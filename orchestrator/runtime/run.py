"""One run from the first file to the last clean-up: calls the stages, joins the handlers, tells the end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import anyio
import structlog

from orchestrator.bus import EventBus, Policy, Subscription
from orchestrator.errors import (
    JournalError,
    OrchestratorError,
    RunCancelledError,
    TimeLimitError,
    error_text,
)
from orchestrator.events import (
    CleanupCompleted,
    CleanupFailed,
    Event,
    JobSettled,
    RunFinished,
    RunInterrupted,
    RunStateChanged,
    utc_now,
)
from orchestrator.handlers.progress import Progress
from orchestrator.journal import RunEvents, RunHold
from orchestrator.results import JobResult
from orchestrator.runtime.assembly import RunHandlers, assemble
from orchestrator.runtime.beginning import run_resumed, run_started, write_down
from orchestrator.runtime.giving_up import abandon, outcome_of
from orchestrator.runtime.history import RunHistory
from orchestrator.runtime.job_result import job_result
from orchestrator.runtime.result_stream import ResultStream
from orchestrator.runtime.retaken import Retaken, events_of, interruption_error
from orchestrator.runtime.run_ledger import RunLedger
from orchestrator.runtime.shared import Shared
from orchestrator.runtime.work import RunWork
from orchestrator.spec.plan import RunPlan
from orchestrator.states import RunState

log = structlog.get_logger()

Listener = tuple[tuple[type[Event], ...], Callable[[Any], Awaitable[None] | None], str]


class Run:
    """Drives one run in the owner's task group.

    Args:
        plan: what is to be done.
        shared: with the other runs.
        listeners: the caller's handlers.
        hold: the right to drive this run, released at its end.
        retaken: how far the run had come when its program died; None for a new one.
    """

    def __init__(
        self,
        *,
        plan: RunPlan,
        shared: Shared,
        listeners: tuple[Listener, ...],
        hold: RunHold,
        retaken: Retaken | None = None,
    ) -> None:
        journal, limits, start = shared.journal, shared.limits, shared.start
        self.plan = plan
        self.results = ResultStream(journal, plan.run_id, bound=limits.subscription_queue)
        self.error: Exception | None = None
        self.left = False  # to the journal: whoever takes the run up tells its end
        self._account = account = shared.account
        self._journal = journal
        self._limits = limits
        self._start = start
        self._hold = hold
        self._retaken = retaken
        self._past = past = retaken.history if retaken is not None else RunHistory()
        self._started_at = past.started_at or utc_now()
        self._state: RunState | None = past.state
        self._ledger = RunLedger(journal, plan.run_id)
        told = RunEvents(journal, plan.run_id)
        self._bus = EventBus(
            plan.run_id,
            limits=limits,
            start=start,
            record=told.record,
            reader=told,
            first_sequence=past.last_sequence + 1,
        )
        self._work = RunWork(
            plan=plan,
            account=account,
            ledger=self._ledger,
            publish=self._publish,
            enter=self._enter,
            limits=limits,
            environ=shared.environ,
            past=past if retaken is not None else None,
            doubtful=retaken.doubtful if retaken is not None else (),
        )
        self._scope = anyio.CancelScope()
        self._settling = anyio.CancelScope()
        self._cancelled: str | None = None
        self._stopped = False
        self._begun = self._untold = False
        self._settled, self._cleaned, self._finished = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self._settlement: JobSettled | None = None
        self._cleanup: CleanupCompleted | None = None
        self._result: JobResult | None = None
        self._handlers: RunHandlers = assemble(
            plan=plan,
            shared=shared,
            numbers=self._work.numbers,
            ledger=self._ledger,
            bus=self._bus,
            publish=self._publish,
            deliver=self.results.deliver,
        )
        self._bus.subscribe(self._note, (JobSettled, CleanupCompleted), policy=Policy.WAIT, name="run")
        for types, callback, name in listeners:
            # One that has not seen all of a run's past gets the rest of it first.
            after = None if retaken is None else retaken.cursors
            self._bus.subscribe(callback, types, policy=Policy.SPILL, name=name, after=after)

    @property
    def progress(self) -> Progress:
        """Where the run is now."""
        return self._handlers.progress.snapshot

    @property
    def resumed(self) -> bool:
        """Whether this program took it up from another."""
        return self._retaken is not None

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
            if self._state is RunState.SETTLING:
                self._settling.cancel()

    def stop(self) -> None:
        """End everything at once, without clean-up: what is left is named in the result."""
        self._stopped = True
        self._cancelled = self._cancelled or "stopped"
        self._scope.cancel()
        self._settling.cancel()
        self._handlers.stop("stopped before the clean-up was over")

    async def ended(self) -> None:
        """Wait until everything is over."""
        await self._finished.wait()

    async def wait(self) -> JobResult:
        """Wait for the end of everything."""
        await self.ended()
        if self._result is None:
            raise RunCancelledError("the orchestrator was closed before the run was over")
        return self._result

    async def drive(self) -> None:
        """Do everything; never raises for what the run does."""
        try:
            self._begun = await self._try("begin", self._begin())
            if self._begun and self._past.finish is None:
                # Each step whatever became of the one before: clean-up must not depend on it.
                await self._try("work", self._work_until_stopped())
                if not await self._try("settle", self._settle()):
                    await self._handlers.collect.settle_now(self.plan.run_id, self.plan.job_id)
                await self._try("clean-up", self._clean_up())
        finally:
            with anyio.CancelScope(shield=True):
                await self._finish()

    async def _begin(self) -> None:
        if self._retaken is not None:
            await self._go_on(self._retaken)
            return
        await write_down(self.plan, self._account, self._journal)
        await self._publish(run_started(self.plan, self._account))

    async def _go_on(self, retaken: Retaken) -> None:
        """Bring everybody to where they were when the program died."""
        past, run_id = self._past, self.plan.run_id
        self._settlement, self._cleanup = past.settlement, past.cleanup
        self.error = interruption_error(past.interruption) if past.interruption is not None else None
        if past.settlement is not None:
            self._settled.set()
        if past.finish is not None:
            return
        await self._handlers.replay(events_of(self._journal, run_id), retaken)
        if past.started_at is None:
            await self._publish(run_started(self.plan, self._account))
        await self._publish(run_resumed(self.plan, past))
        if past.settlement is None:
            self._start(lambda: self._handlers.bring_again(past), f"outputs of run {run_id}")
            await self._handlers.collect.resume(run_id)

    async def _try(self, what: str, work: Awaitable[None]) -> bool:
        """Carry out a step of the run; whatever it raises becomes the run's error, and False is returned."""
        try:
            await work
        except Exception as error:
            # The border of the run: it is told as far as it can be, and never waits for ever.
            log.exception("run.broken", run=self.plan.run_id, step=what)
            self.error = self.error or error
            return False
        return True

    # --- work ---------------------------------------------------------------------------------------------

    async def _work_until_stopped(self) -> None:
        """Work to the last task's end; whatever stops it earlier becomes `self.error`."""
        if self._settled.is_set():
            return
        if self._past.interruption is not None:
            await self._abandon(self._past.interruption.reason)
            return
        try:
            with self._scope:
                await self._work.run()
        except Exception as error:
            if not isinstance(error, OrchestratorError):
                log.exception("run.defect", run=self.plan.run_id)
            self.error = error
        if self._cancelled is not None and self._scope.cancelled_caught:
            self.error = RunCancelledError(self._cancelled)
        if self.error is not None:
            await self._interrupt(self.error, error_text(self.error))
            await self._abandon(error_text(self.error))

    # --- the end ------------------------------------------------------------------------------------------

    async def _interrupt(self, error: Exception, reason: str) -> None:
        outcome = outcome_of(error)
        await self._publish(RunInterrupted(run_id=self.plan.run_id, outcome=outcome, reason=reason))

    async def _abandon(self, reason: str) -> None:
        await abandon(self.plan, self._work, self._handlers.download, self._publish, reason=reason)

    async def _settle(self) -> None:
        """Wait for the last output, within limits; clean-up follows whatever comes of it."""
        if self._settled.is_set() and self._past.settlement is not None:
            self.results.end(self.error)
            return
        await self._enter(RunState.SETTLING)
        # Who gave up the work waits no longer than it takes to bring what had ended before.
        limit = self._limits.close_grace if self._cancelled else self._limits.settle_timeout
        with self._settling, anyio.move_on_after(limit):
            await self._settled.wait()
        if not self._settled.is_set():
            await self._stop_waiting_for_outputs()
        elif self.error is None and self._work.all_submitted and not self.plan.is_part:
            await self._try("stale results", self._handlers.download.sweep(self._work.numbers))
        self.results.end(self.error)

    async def _stop_waiting_for_outputs(self) -> None:
        late = f"not here {self._limits.settle_timeout:g} s after the last task"
        reason = self._cancelled or (error_text(self.error) if self._untold and self.error else late)
        if self.error is None:
            self.error = RunCancelledError(reason) if self._cancelled else TimeLimitError(reason)
            await self._interrupt(self.error, reason)
        self._handlers.download.give_up(reason)
        with anyio.move_on_after(self._limits.close_grace):
            await self._settled.wait()
        if not self._settled.is_set():
            log.error("run.not_settled", run=self.plan.run_id, unfinished=len(self._work.unfinished))
            await self._handlers.collect.settle_now(self.plan.run_id, self.plan.job_id)

    async def _clean_up(self) -> None:
        if self._cleanup is not None:
            return
        await self._enter(RunState.CLEANING)
        if self._past.settlement is not None:
            # Told before the program died; its bus does not bring it again.
            settlement, handle = self._past.settlement, self._handlers.cleanup.handle
            self._start(lambda: handle(settlement), f"clean-up of run {self.plan.run_id}")
        # Clean-up has its own limit; this one is for a clean-up handler that broke.
        with anyio.fail_after(self._limits.cleanup_timeout + self._limits.close_grace):
            await self._cleaned.wait()

    async def _finish(self) -> None:
        """Tell the end. Each step whatever the others do: somebody waits for the last one."""
        if self._settlement is None and self.error is None:
            self.error = RunCancelledError("the orchestrator was closed before the run was over")
        self.results.end(self.error)
        grace = self._limits.stop_grace if self._stopped else self._limits.close_grace
        try:
            past = self._past.finish
            self._result = result = past.result if past is not None else await self._make_result()
            told = self._may_end and await self._try("bus", self._tell_end(result, grace))
            await self._try("bus", self._bus.close(grace))
            await self._try("downloads", self._handlers.download.aclose())
            if told:  # last, so that a run which has not told its end is taken up again
                await self._try("journal", self._journal.finish_run(self.plan.run_id, outcome=result.outcome))
        finally:
            self._account.pools.forget(self.plan.pool_id, self.plan.run_id)
            self._hold.release()
            self._finished.set()

    @property
    def _may_end(self) -> bool:
        """Whether the run is over for good; what the journal kept from its end is to be taken up again."""
        if self.left or not self._begun:
            return self._retaken is None and not self.left
        return self._cleanup is not None or not self._untold

    async def _tell_end(self, result: JobResult, grace: float) -> None:
        with anyio.move_on_after(grace):
            await self._bus.drain()
        if self._past.finish is None:
            with anyio.move_on_after(grace):
                await self._enter(RunState.FINISHED)
                await self._publish(RunFinished(run_id=self.plan.run_id, result=result))

    async def _owed(self) -> tuple[str, ...]:
        try:
            return tuple(f"{kind} {name}" for kind, name in await self._ledger.owed())
        except OrchestratorError as error:
            self.error = self.error or error
            return self._ledger.remembered()

    async def _make_result(self) -> JobResult:
        return job_result(
            plan=self.plan,
            started_at=self._started_at,
            settlement=self._settlement,
            collected=self._handlers.collect,
            rejected=self._work.rejected,
            cleanup=self._cleanup,
            owed=await self._owed(),
            error=self.error,
        )

    # --- telling ------------------------------------------------------------------------------------------

    async def _publish(self, *events: Event) -> None:
        """Put it on the bus, whole (a cancellation waits for it), and note what the run itself must know."""
        try:
            with anyio.CancelScope(shield=True):
                await self._bus.publish(*events)
        except JournalError as error:
            # What was not written down nobody was told of: who waits for it would wait in vain.
            self.error, self._untold = self.error or error, True
            self._settling.cancel()
            if isinstance(events[-1], CleanupFailed | CleanupCompleted):
                self._cleaned.set()
            raise
        for event in events:
            self._work.note(event)

    async def _note(self, event: Event) -> None:
        match event:
            case JobSettled():
                self._settlement = event
                self._settled.set()
            case CleanupCompleted():
                self._cleanup = event
                self._cleaned.set()

    async def _enter(self, state: RunState) -> None:
        if state is self._state:
            return  # its program died in this very state
        previous, self._state = self._state, state
        await self._publish(RunStateChanged(run_id=self.plan.run_id, previous=previous, state=state))
