"""Takes runs, begins each when it is its turn, sees it to its end, and ends it early when asked to."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Protocol, TypeVar

import anyio
import structlog

from orchestrator.daemon.acceptance import Acceptance, Wish, discard
from orchestrator.daemon.again import again
from orchestrator.daemon.intake import Intake
from orchestrator.daemon.line import Line
from orchestrator.daemon.records import NewRun, Phase, RunRecord
from orchestrator.daemon.refusals import draining, line_too_long, no_such_run, not_over, nothing_to_retry
from orchestrator.daemon.results_json import encode_result
from orchestrator.daemon.task_tables import TaskTables
from orchestrator.errors import JournalError, NotOpenError, OrchestratorError, RunCancelledError, error_text
from orchestrator.runtime.few_threads import in_few_threads
from orchestrator.runtime.job_run import JobRun
from orchestrator.runtime.orchestrator import Orchestrator
from orchestrator.runtime.owner import Owner
from orchestrator.spec import decode_job, plan_run
from orchestrator.states import RunOutcome

T = TypeVar("T")

log = structlog.get_logger()

_WRITE_AGAIN = 1.0
"""Seconds between two tries to write down what has happened already."""


class Room(Protocol):
    """How much the desk may do at once; read at each turn, so that a reload counts."""

    @property
    def max_runs(self) -> int:
        """Runs under way at once."""

    @property
    def max_waiting(self) -> int:
        """Runs that may wait."""

    @property
    def begins(self) -> int:
        """Runs that are planned and written down at once."""


class Desk:
    """All runs that are not over, in memory; all of them, and those that are, in the intake's file.

    Args:
        intake: where runs are written down before anybody is told that they are accepted.
        orchestrator: open; runs them.
        acceptance: checks what is handed in.
        tables: knows which tasks failed.
        owner: of the tasks that see runs to their end.
        room: how many at once.
        environ: where secrets are looked up.

    Attributes:
        taking: whether runs are taken and begun.
        left: whether those under way were left to the journal, and do not end here any more.
    """

    def __init__(
        self,
        *,
        intake: Intake,
        orchestrator: Orchestrator,
        acceptance: Acceptance,
        tables: TaskTables,
        owner: Owner,
        room: Callable[[], Room],
        environ: Mapping[str, str],
    ) -> None:
        self._intake = intake
        self._orchestrator = orchestrator
        self._quota = orchestrator.account.batch.waiting
        self._quota.patient = True
        self._acceptance = acceptance
        self._tables = tables
        self._owner = owner
        self._room = room
        self._environ = environ
        self._line = Line()
        self._waiting, self._under_way = self._line.waiting, self._line.under_way
        self._beginning = 0
        self._job_runs: dict[str, JobRun] = {}
        self._changed = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self.taking = True
        self.left = False

    # --- what it knows ------------------------------------------------------------------------------------

    @property
    def waiting(self) -> int:
        """How many runs wait in line."""
        return len(self._waiting)

    @property
    def under_way(self) -> int:
        """How many runs have begun and are not over."""
        return len(self._under_way)

    def job_run(self, run_id: str) -> JobRun | None:
        """The runtime's hold on a run that is under way."""
        return self._job_runs.get(run_id)

    def job_runs(self) -> tuple[JobRun, ...]:
        """Every run that is under way."""
        return tuple(self._job_runs.values())

    def place(self, run_id: str) -> int | None:
        """The place in line of a run, from 1; None where it does not wait."""
        if run_id in self._waiting:
            return self._line.place(run_id)
        return self._quota.place(run_id)

    def waits_for(self, run_id: str) -> str | None:
        """What a run waits for, apart from those before it; None where there is nothing else."""
        if (record := self._waiting.get(run_id)) is None:
            return self._quota.reason(run_id)
        if (other := self._line.same_job(record)) is not None:
            return f"job {record.job_id} is under way, as run {other.run_id}"
        if len(self._under_way) >= (most := self._room().max_runs):
            return f"{most} runs are under way, as many as may be (daemon_limits.max_runs)"
        return None

    async def find(self, run_id: str) -> RunRecord:
        """A run that was accepted and is not forgotten.

        Raises:
            DaemonError: there is none.
        """
        record = await self._intake.get(run_id)
        if record is None or not (current := await self.current((record,))):
            raise no_such_run(run_id)
        return current[0]

    async def current(self, records: Sequence[RunRecord]) -> tuple[RunRecord, ...]:
        """The same records as of now, without those of runs that were forgotten meanwhile.

        A run may have begun, or ended, since its record was read: one that has ended has no progress any
        more, and a record from before its end no result yet.
        """
        found = {record.run_id: record for record in records}
        read: dict[str, Phase] = {}
        while late := [record for record in found.values() if self._is_late(record, read)]:
            for record in late:
                # As known before the reading: a run may go on while it, or those of others, are under way.
                read[record.run_id] = self._known(record.run_id)
                if (now := await self._intake.get(record.run_id)) is None:
                    del found[record.run_id]
                else:
                    found[record.run_id] = now
        return tuple(found.values())

    def _is_late(self, record: RunRecord, read: Mapping[str, Phase]) -> bool:
        """Whether a run has gone on, as far as is known here, since its record was read."""
        known = self._known(record.run_id)
        return record.phase not in {known, Phase.FINISHED} and read.get(record.run_id) is not known

    def _known(self, run_id: str) -> Phase:
        """Where a run is, as far as is known here; the file may be a step behind."""
        if run_id in self._waiting:
            return Phase.QUEUED
        return Phase.RUNNING if run_id in self._under_way else Phase.FINISHED

    # --- what it does -------------------------------------------------------------------------------------

    async def submit(self, wish: Wish) -> tuple[RunRecord, bool]:
        """Accept a run: once this returns, it is not lost, whatever happens to the daemon.

        Returns:
            The run, and whether it is new: False where the same idempotency key brought it before.

        Raises:
            DaemonError: it is refused; nothing is kept of it.
        """
        done: list[tuple[RunRecord, bool]] = []

        async def work() -> None:
            kept = False
            try:
                done.append(await self._accept(wish))
                kept = done[0][1]
            finally:
                if not kept:
                    await discard(wish.folder)

        # To its end even if the client goes away: a run that is written down must be in line too.
        await self._owner.finish(work)
        return done[0]

    async def _accept(self, wish: Wish) -> tuple[RunRecord, bool]:
        known = await self._intake.known(wish.idempotency_key, wish.body_hash)
        if known is not None:
            return known, False
        self._must_take()
        return await self._write_down(await self._acceptance.check(wish))

    async def retry_failed(self, run_id: str, *, submitter: str) -> RunRecord:
        """Accept a new run of the tasks of a run that did not succeed.

        Raises:
            DaemonError: the run is not over, nothing failed, or its files are gone.
        """
        record = await self.find(run_id)
        if record.phase is not Phase.FINISHED:
            raise not_over(run_id)
        self._must_take()
        failed = await self._tables.failed(run_id)
        if not failed:
            raise nothing_to_retry(run_id)
        spec = await self._intake.spec(run_id)
        job = await in_few_threads(
            lambda: again(plan_run(decode_job(spec), run_id, environ=self._environ), failed)
        )
        new = await self._acceptance.check_retry(
            job, parent=run_id, folder=record.folder, submitter=submitter
        )
        accepted, _ = await self._write_down(new)
        return accepted

    async def cancel(self, run_id: str, reason: str) -> RunRecord:
        """End a run early; one that is over stays as it is.

        Raises:
            DaemonError: there is none.
        """
        record = await self.find(run_id)
        if record.phase is Phase.FINISHED:
            return record
        await self._intake.cancelled(run_id, reason)
        if self._line.leave(run_id):
            # To its end: nobody would begin it any more, nor could it be cancelled again.
            await self._owner.finish(lambda: self._written(lambda: self._cancelled(run_id, reason), run_id))
        elif (job_run := self._job_runs.get(run_id)) is not None:
            job_run.cancel(reason)
        return await self.find(run_id)

    async def _cancelled(self, run_id: str, reason: str) -> None:
        await self._intake.finished(run_id, outcome=RunOutcome.CANCELLED, error=reason)

    async def forget(self, run_id: str) -> None:
        """Keep nothing of a run that is over but its results.

        Raises:
            DaemonError: there is none, or it is not over.
        """
        record = await self.find(run_id)
        if record.phase is not Phase.FINISHED:
            raise not_over(run_id)
        self._tables.forget(run_id)
        # The journal first: what is left of a forgetting that was cut short can be asked for again.
        await self._orchestrator.journal.forget(run_id)
        await discard(await self._intake.forget(run_id))

    def _must_take(self) -> None:
        if not self.taking:
            raise draining()
        if len(self._waiting) >= self._room().max_waiting:
            raise line_too_long(len(self._waiting))

    async def _write_down(self, new: NewRun) -> tuple[RunRecord, bool]:
        record, is_new = await self._intake.accept(new)
        if is_new:
            self.queue(record)
            log.info("run.accepted", run=record.run_id, job=record.job_id, source=record.source.value)
        return record, is_new

    # --- turns --------------------------------------------------------------------------------------------

    def look_again(self) -> None:
        """Something about the room changed."""
        self._changed.set()

    async def take_turns(self) -> None:
        """Begin runs as there is room, for ever: in their turns, and several at once."""
        while True:
            self._changed.clear()
            while self.taking and (record := self._next()) is not None:
                self._take_turn(record)
            await self._changed.wait()

    def _next(self) -> RunRecord | None:
        room = self._room()
        may = len(self._under_way) < room.max_runs and self._beginning < room.begins
        return self._line.next() if may else None

    def _take_turn(self, record: RunRecord) -> None:
        # In one step: whose turn is next depends on this run's place, its job and its submitter.
        self._line.begin(record)
        self._idle.clear()
        self._beginning += 1
        self._owner.start(lambda: self._begin(record), f"beginning of run {record.run_id}")

    async def _begin(self, record: RunRecord) -> None:
        try:
            try:
                spec = await self._written(lambda: self._intake.begun(record.run_id), record.run_id)
                # A job may be megabytes, which the loop has no time to read.
                job = await in_few_threads(decode_job, spec)
                job_run = await self._orchestrator.submit(job, run_id=record.run_id)
            except NotOpenError:
                self._over(record.run_id)  # the daemon ends: the next start begins it
            except OrchestratorError as error:
                log.warning("run.not_begun", run=record.run_id, error=error_text(error))
                await self._not_begun(record, error_text(error))
            except Exception as error:
                # The border: one job that can't be begun must not keep the others in line.
                log.exception("run.defect", run=record.run_id)
                await self._not_begun(record, f"a defect of the daemon ({type(error).__name__}); see its log")
            else:
                self.adopt(record, job_run)
        finally:
            self._beginning -= 1
            self._changed.set()

    async def _not_begun(self, record: RunRecord, error: str) -> None:
        await self._written(
            lambda: self._intake.finished(record.run_id, outcome=RunOutcome.ERROR, error=error), record.run_id
        )
        self._over(record.run_id)

    @staticmethod
    async def _written(write: Callable[[], Awaitable[T]], run_id: str) -> T:
        """Write until it is written: a full disk passes, and must neither stop the line nor lose an end."""
        while True:
            try:
                return await write()
            except JournalError as error:
                log.warning("run.not_written", run=run_id, error=error_text(error))
                await anyio.sleep(_WRITE_AGAIN)

    def adopt(self, record: RunRecord, job_run: JobRun) -> None:
        """See a run to its end that the runtime has already."""
        self._line.begin(record)
        self._job_runs[record.run_id] = job_run
        self._idle.clear()
        self._owner.start(lambda: self._see_to_the_end(record.run_id, job_run), f"daemon run {record.run_id}")

    def queue(self, record: RunRecord) -> None:
        """Put a run that was accepted earlier back in line."""
        self._line.join(record)
        self._changed.set()

    async def _see_to_the_end(self, run_id: str, job_run: JobRun) -> None:
        try:
            # Asked for before the run began, or before the daemon died.
            record = await self.find(run_id)
            if record.cancelled is not None:
                job_run.cancel(record.cancelled)
            try:
                result = await job_run.wait()
            except RunCancelledError:
                return  # the orchestrator closed under it: the journal has it, and the next start goes on
            if self.left:
                return
            await self._written(
                lambda: self._intake.finished(
                    run_id, outcome=result.outcome, result=encode_result(result), error=result.error
                ),
                run_id,
            )
            log.info("run.finished", run=run_id, outcome=result.outcome.value)
        finally:
            self._over(run_id)

    def _over(self, run_id: str) -> None:
        self._line.end(run_id)
        self._job_runs.pop(run_id, None)
        if not self._under_way:
            self._idle.set()
        self._quota.look_again()
        self._changed.set()

    async def until_idle(self) -> None:
        """Wait until no run is under way."""
        await self._idle.wait()
