"""Lets job schedules make their jobs, and end."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import anyio
import anyio.lowlevel
import structlog

from orchestrator.local.batch.background import Background
from orchestrator.local.batch.job_births import JobBirths
from orchestrator.local.batch.job_endings import JobEndings
from orchestrator.local.batch.runtime import JobRuntime, Signal
from orchestrator.local.batch.store.schedules import ScheduleRecord, ScheduleState, What, decide
from orchestrator.local.batch.store.states import JobState
from orchestrator.local.wire import times

log = structlog.get_logger("orchestrator.local.batch")


@dataclass(slots=True, eq=False)
class ScheduleRuntime:
    """A job schedule's record, and what wakes it.

    Args:
        record: of the store.
        changed: told when it or one of its jobs changes.
    """

    record: ScheduleRecord
    changed: Signal = field(default_factory=Signal)

    @property
    def key(self) -> str:
        """Of the schedule."""
        return self.record.id.lower()

    def owns(self, job_key: str) -> bool:
        """Tell whether a job is one of its own.

        Args:
            job_key: lower-cased id.
        """
        return job_key.rpartition(":")[0] == self.key


class ScheduleRuns:
    """Carries schedules out.

    Args:
        background: where that goes on.
        births: makes jobs.
        endings: ends them.
        jobs: by key.
        schedules: by key.
        forget: takes a deleted schedule out.
    """

    def __init__(
        self,
        *,
        background: Background,
        births: JobBirths,
        endings: JobEndings,
        jobs: Mapping[str, JobRuntime],
        schedules: Mapping[str, ScheduleRuntime],
        forget: Callable[[ScheduleRuntime], None],
    ) -> None:
        self._background = background
        self._births = births
        self._endings = endings
        self._jobs = jobs
        self._schedules = schedules
        self._forget = forget

    def begin(self, schedule: ScheduleRuntime) -> None:
        """Let a schedule run; a first job that is due is made before this returns (recorded).

        Args:
            schedule: new, or found again.
        """
        state = schedule.record.state
        if state is ScheduleState.TERMINATING:
            self._background.spawn(self._terminate, schedule)
        elif state is ScheduleState.DELETING:
            self._background.spawn(self._delete, schedule)
        elif state is not ScheduleState.COMPLETED:
            self._advance(schedule)
            self._background.spawn(self._run, schedule)

    async def _run(self, schedule: ScheduleRuntime) -> None:
        while True:
            until = self._advance(schedule)
            if not schedule.record.runs_on:
                return
            pause = None if until is None else (until - times.now()) / times.TICKS_PER_SECOND
            with anyio.move_on_after(None if pause is None else max(0.0, pause)):
                await schedule.changed.wait()

    def _advance(self, schedule: ScheduleRuntime) -> int | None:
        """Do what is to be done now.

        Returns:
            When to look again.
        """
        record = schedule.record
        while record.runs_on:
            at = times.now()
            step = decide(record, job_open=self._open_job(schedule) is not None, at=at)
            if step.what is What.WAIT:
                return step.until
            if step.what is What.COMPLETE:
                self._complete(schedule, at)
            elif step.what is What.PASS_BY:
                record.pass_by(at)
            else:
                record.note_run(at)
                job = self._births.begin_scheduled(record, at)
                log.info("schedule.job_made", schedule=record.id, job=job.record.id)
        return None

    def _open_job(self, schedule: ScheduleRuntime) -> JobRuntime | None:
        name = schedule.record.recent_job
        job = self._jobs.get(name.lower()) if name is not None else None
        return None if job is None or job.record.state is JobState.COMPLETED else job

    def _complete(self, schedule: ScheduleRuntime, at: int) -> None:
        schedule.record.move(ScheduleState.COMPLETED, at)
        schedule.record.ended = at
        self._births.drop_pool(schedule.record)

    def tell(self, job: JobRuntime) -> None:
        """Let a job's schedule know that the job is over.

        Args:
            job: completed or gone.
        """
        schedule = self._schedules.get(job.key.rpartition(":")[0])
        if schedule is not None:
            schedule.changed.tell()

    def terminate(self, schedule: ScheduleRuntime, at: int) -> None:
        """End a schedule and the job that it has.

        Args:
            schedule: active or disabled.
            at: when.
        """
        schedule.record.move(ScheduleState.TERMINATING, at)
        self._background.spawn(self._terminate, schedule)
        schedule.changed.tell()

    async def _terminate(self, schedule: ScheduleRuntime) -> None:
        await anyio.lowlevel.checkpoint()
        job = self._open_job(schedule)
        if job is not None and job.record.open:
            self._endings.terminate(job, "TerminateJobSchedule", times.now())
        while self._open_job(schedule) is not None:
            await schedule.changed.wait()
        if schedule.record.state is ScheduleState.TERMINATING:
            self._complete(schedule, times.now())

    def delete(self, schedule: ScheduleRuntime, at: int) -> None:
        """Delete a schedule and all of its jobs.

        Args:
            schedule: not deleting yet.
            at: when.
        """
        schedule.record.move(ScheduleState.DELETING, at)
        self._background.spawn(self._delete, schedule)
        schedule.changed.tell()

    async def _delete(self, schedule: ScheduleRuntime) -> None:
        await anyio.lowlevel.checkpoint()
        while jobs := [job for key, job in self._jobs.items() if schedule.owns(key)]:
            for job in jobs:
                if job.record.state is not JobState.DELETING:
                    self._endings.delete(job, times.now())
            await schedule.changed.wait()
        self._births.drop_pool(schedule.record)
        self._forget(schedule)
        log.info("schedule.deleted", schedule=schedule.record.id)
