"""How jobs stop: disabled, terminated, deleted, out of time, or done.

Source of facts: recorded (which state is told when); the product pages "Jobs and tasks", "Job and task
error checking".
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice

import anyio
import anyio.lowlevel
import structlog

from orchestrator.local.batch.allocation import Allocation
from orchestrator.local.batch.background import Background
from orchestrator.local.batch.delays import Pace
from orchestrator.local.batch.dispatch import Dispatch
from orchestrator.local.batch.interference import Interference
from orchestrator.local.batch.leftovers import remove_folder
from orchestrator.local.batch.preparation import Preparations
from orchestrator.local.batch.retention import Retention
from orchestrator.local.batch.runtime import JobRuntime, Machine, PoolRuntime
from orchestrator.local.batch.store.outcomes import Ending, JobAction
from orchestrator.local.batch.store.records import TaskRecord
from orchestrator.local.batch.store.states import JobState
from orchestrator.local.batch.store.views import job_folder
from orchestrator.local.wire import times

log = structlog.get_logger("orchestrator.local.batch")

_BOOT_LIMIT = 30.0
"""Seconds that the end of a job waits after a restart for nodes to be back."""

_STEP = 200
"""Tasks of a deleted job that go in one step of the loop."""

_ENDINGS = {"requeue": Ending.REQUEUED, "terminate": Ending.TERMINATED}


class JobEndings:
    """Stops jobs; acts on what tasks' ends mean for them.

    Args:
        background: where it goes on.
        dispatch: stops tasks.
        preparations: stops and runs the jobs' own tasks.
        allocation: starts lost nodes again.
        pace: delays to take.
        interference: may step in.
        retention: removes what tasks leave behind.
        pools: by key.
        forget: takes a deleted job out.
    """

    def __init__(
        self,
        *,
        background: Background,
        dispatch: Dispatch,
        preparations: Preparations,
        allocation: Allocation,
        pace: Pace,
        interference: Interference,
        retention: Retention,
        pools: dict[str, PoolRuntime],
        forget: Callable[[JobRuntime], None],
    ) -> None:
        self._background = background
        self._dispatch = dispatch
        self._preparations = preparations
        self._allocation = allocation
        self._pace = pace
        self._interference = interference
        self._retention = retention
        self._pools = pools
        self._forget = forget
        self.over: Callable[[JobRuntime], None] = lambda _job: None
        """Told when a job is completed, and when it is gone."""

    def watch(self, job: JobRuntime) -> None:
        """Keep a new job's limits.

        Args:
            job: just created.
        """
        self.restart_clock(job)
        if job.record.ends_with_its_tasks:
            self._background.spawn(self._end_if_empty, job)

    def resume(self, job: JobRuntime) -> None:
        """Go on with a job after a restart of the service.

        Args:
            job: in the state in which it was kept.
        """
        state = job.record.state
        if state is JobState.ACTIVE:
            self.watch(job)
        elif state in (JobState.DISABLING, JobState.DISABLED):
            self.restart_clock(job)
            if state is JobState.DISABLING:
                self._background.spawn(self._disable, job)
        elif state is not JobState.COMPLETED and not job.ending:
            job.released = bool(job.record.ended)
            job.ending = True
            self._background.spawn(self._end_after_boots, job)

    async def _end_after_boots(self, job: JobRuntime) -> None:
        # Release tasks run on nodes, and files are removed by them, once they are back.
        with anyio.move_on_after(_BOOT_LIMIT):
            for pool in list(self._pools.values()):
                for machine in list(pool.machines.values()):
                    await machine.boot_over.wait()
        await self._end(job)

    async def _end_if_empty(self, job: JobRuntime) -> None:
        await anyio.sleep(self._pace.now.empty_job)
        if not len(job.record.tasks):
            self.check_complete(job)

    def restart_clock(self, job: JobRuntime) -> None:
        """Wait for the job's wall clock, which may have changed.

        Args:
            job: open.
        """
        if job.deadline is not None:
            job.deadline.cancel()
            job.deadline = None
        if job.record.deadline is not None:
            self._background.spawn(self._expire, job)

    async def _expire(self, job: JobRuntime) -> None:
        deadline = job.record.deadline
        if deadline is None:
            return
        with anyio.CancelScope() as scope:
            job.deadline = scope
            await anyio.sleep(max(0.0, (deadline - times.now()) / times.TICKS_PER_SECOND))
            if job.record.open:
                self.terminate(job, "MaxWallClockTimeExpiry", times.now())

    def disable(self, job: JobRuntime, disable_tasks: str, at: int) -> None:
        """Stop a job for a while.

        Args:
            job: active, disabling or disabled.
            disable_tasks: what becomes of its running tasks: `requeue`, `terminate` or `wait`.
            at: when.
        """
        if job.record.state is not JobState.DISABLING:
            job.record.move(JobState.DISABLING, at)
        job.queue.open = False
        ending = _ENDINGS.get(disable_tasks)
        if ending is not None:
            for attempt in list(job.attempts.values()):
                self._dispatch.stop(attempt, ending)
        self._background.spawn(self._disable, job)

    async def _disable(self, job: JobRuntime) -> None:
        await anyio.lowlevel.checkpoint()
        await job.wait_until_quiet()
        await anyio.sleep(self._pace.now.job_disabling)
        if job.record.state is JobState.DISABLING:
            job.record.move(JobState.DISABLED, times.now())

    def enable(self, job: JobRuntime, at: int) -> None:
        """Let a disabled job go on.

        Args:
            job: disabled.
            at: when.
        """
        job.record.move(JobState.ENABLING, at)
        job.record.move(JobState.ACTIVE, at)
        job.queue.open = True
        self._dispatch.schedule(job.record.pool_id)
        self.check_complete(job)

    def terminate(self, job: JobRuntime, reason: str, at: int) -> None:
        """End a job.

        Args:
            job: open.
            reason: told as terminateReason.
            at: when.
        """
        job.record.move(JobState.TERMINATING, at)
        job.record.terminate_reason = reason
        self._begin_end(job)

    def delete(self, job: JobRuntime, at: int) -> None:
        """Delete a job.

        Args:
            job: not deleting yet.
            at: when.
        """
        if job.record.state is JobState.COMPLETED:
            job.released = True
        job.record.move(JobState.DELETING, at)
        self._begin_end(job)

    def _begin_end(self, job: JobRuntime) -> None:
        job.queue.open = False
        if job.deadline is not None:
            job.deadline.cancel()
        for attempt in list(job.attempts.values()):
            self._dispatch.stop(attempt, Ending.TERMINATED)
        if not job.ending:
            job.ending = True
            self._background.spawn(self._end, job)

    async def _end(self, job: JobRuntime) -> None:
        try:
            await anyio.lowlevel.checkpoint()
            await self._preparations.stop(job, self._pools)
            await job.wait_until_quiet()
            if not job.released:
                job.released = True
                await self._preparations.release(job, self._pools)
            await self._finish(job)
        finally:
            job.ending = False

    async def _finish(self, job: JobRuntime) -> None:
        record = job.record
        if record.state is JobState.TERMINATING:
            await anyio.sleep(self._pace.now.job_termination)
        # A DELETE may have come while this waited.
        if record.state is JobState.TERMINATING:
            at = times.now()
            record.move(JobState.COMPLETED, at)
            record.ended = at
            log.info("job.completed", job=record.id, reason=record.terminate_reason)
            self.over(job)
            return
        await anyio.sleep(self._pace.now.job_deletion + self._interference.lingering(job=record.id))
        await self._remove_files(job)
        await _remove_tasks(job)
        self._forget(job)
        log.info("job.deleted", job=record.id)
        self.over(job)

    async def _remove_files(self, job: JobRuntime) -> None:
        for pool in list(self._pools.values()):
            for machine in list(pool.machines.values()):
                await remove_folder(machine, job_folder(job.record.id))

    def act_on_failure(self, job: JobRuntime, action: JobAction) -> None:
        """Disable or terminate a job, as exitConditions say.

        Args:
            job: of the task that ended.
            action: to take.
        """
        if job.record.state is not JobState.ACTIVE:
            return
        if action is JobAction.DISABLE:
            self.disable(job, "requeue", times.now())
        else:
            self.terminate(job, "TaskFailed", times.now())

    def finish(self, job: JobRuntime, reason: str) -> None:
        """End a job that goes on.

        Args:
            job: any.
            reason: told as terminateReason.
        """
        if job.record.open:
            self.terminate(job, reason, times.now())

    def check_complete(self, job: JobRuntime) -> None:
        """End a job whose tasks are all complete, if it asks for that.

        Args:
            job: any.
        """
        if job.record.ends_with_its_tasks:
            self.terminate(job, "AllTasksComplete", times.now())

    def watch_files(self, job: JobRuntime, task: TaskRecord) -> None:
        """Remove the files of a task that ran when their time is over.

        Args:
            job: of the task.
            task: completed.
        """
        self._retention.watch(job, task)

    def recover(self, machine: Machine) -> None:
        """Start a node again whose process died.

        Args:
            machine: whose process is gone.
        """
        self._allocation.recover(machine)


async def _remove_tasks(job: JobRuntime) -> None:
    # A million at once would hold up everybody else, here and in the state file: others have as much time.
    tasks = job.record.tasks
    while len(tasks):
        began = anyio.current_time()
        for _, task in list(islice(tasks.after(None), _STEP)):
            job.record.remove_task(task)
        await anyio.sleep(anyio.current_time() - began)
