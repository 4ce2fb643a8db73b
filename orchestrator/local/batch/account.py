"""The Batch account: what exists in it, and the parts that make it live."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from orchestrator.local.batch.allocation import Allocation, StartNode
from orchestrator.local.batch.autoscaling import REAL_PACE, AutoscalePace, AutoScaling
from orchestrator.local.batch.background import Background
from orchestrator.local.batch.delays import Pace
from orchestrator.local.batch.dispatch import Dispatch
from orchestrator.local.batch.errors import (
    job_not_found,
    job_schedule_not_found,
    node_not_found,
    pool_not_found,
    task_not_found,
)
from orchestrator.local.batch.executions import Executions
from orchestrator.local.batch.interference import Interference
from orchestrator.local.batch.job_births import JobBirths
from orchestrator.local.batch.job_endings import JobEndings
from orchestrator.local.batch.mishaps import Mishaps
from orchestrator.local.batch.node_renewal import NodeRenewal
from orchestrator.local.batch.pool_lives import PoolLives
from orchestrator.local.batch.preparation import Preparations
from orchestrator.local.batch.quotas import Quotas
from orchestrator.local.batch.retention import Retention
from orchestrator.local.batch.runtime import JobRuntime, Machine, PoolRuntime
from orchestrator.local.batch.schedule_runs import ScheduleRuns, ScheduleRuntime
from orchestrator.local.batch.store.changes import Changes, JobChanges
from orchestrator.local.batch.store.records import JobRecord, PoolRecord, Spec, TaskRecord
from orchestrator.local.batch.store.schedules import ScheduleRecord
from orchestrator.local.batch.store.sorted_index import SortedIndex
from orchestrator.local.wire.api_error import invalid_property
from orchestrator.local.wire.times import TICKS_PER_SECOND, parse_duration

SHORTEST_RECURRENCE: Final = 60.0
"""Seconds, on the real service."""


class Account:
    """Holds everything; handlers work on it.

    Args:
        name: of the account.
        url: as tasks reach it, without a slash at the end.
        nodes_dir: below which the nodes' roots are.
        start_node: starts a node's process with that root.
        pace: delays to take.
        interference: may step in.
        changes: collects what changes; None when nobody keeps it.
        autoscale_pace: of automatic scaling.
        shortest_recurrence: seconds, of job schedules.
        quotas: none by default.
    """

    def __init__(
        self,
        *,
        name: str,
        url: str,
        nodes_dir: Path,
        start_node: StartNode,
        pace: Pace,
        interference: Interference,
        changes: Changes | None = None,
        autoscale_pace: AutoscalePace = REAL_PACE,
        shortest_recurrence: float = SHORTEST_RECURRENCE,
        quotas: Quotas | None = None,
    ) -> None:
        self.quotas = quotas or Quotas()
        self.name = name
        self._changes = changes
        self.pool_records: SortedIndex[PoolRecord] = SortedIndex()
        self.job_records: SortedIndex[JobRecord] = SortedIndex()
        self._pools: dict[str, PoolRuntime] = {}
        self._jobs: dict[str, JobRuntime] = {}
        self.schedule_records: SortedIndex[ScheduleRecord] = SortedIndex()
        self._schedules: dict[str, ScheduleRuntime] = {}
        self._shortest_recurrence = shortest_recurrence
        self._sequence = 0
        self._background = Background()
        executions = Executions(name, url, interference)
        self.preparations = Preparations(self._background, executions)
        self.dispatch = Dispatch(
            self._background, executions, self.preparations, self._pools, self._jobs, pace=pace
        )
        self.allocation = Allocation(
            background=self._background,
            dispatch=self.dispatch,
            executions=executions,
            pace=pace,
            interference=interference,
            start_node=start_node,
            nodes_dir=nodes_dir,
            pools=self._pools,
            jobs=self._jobs,
            forget=self._forget_pool,
            after_reboot=self.preparations.after_reboot,
        )
        self.retention = Retention(self._background, self._pools, self._jobs)
        self.endings = JobEndings(
            background=self._background,
            dispatch=self.dispatch,
            preparations=self.preparations,
            allocation=self.allocation,
            pace=pace,
            interference=interference,
            retention=self.retention,
            pools=self._pools,
            forget=self._forget_job,
        )
        self.renewal = NodeRenewal(self._background, self.allocation, self._jobs)
        self.autoscaling = AutoScaling(
            background=self._background,
            dispatch=self.dispatch,
            allocation=self.allocation,
            pace=autoscale_pace,
        )
        self.pool_lives = PoolLives(self.allocation, self.autoscaling, self._pools, self.add_pool)
        self.births = JobBirths(
            dispatch=self.dispatch,
            endings=self.endings,
            pools=self.pool_lives,
            jobs=self._jobs,
            add=self.add_job,
            number=self.next_job_sequence,
        )
        self.schedule_runs = ScheduleRuns(
            background=self._background,
            births=self.births,
            endings=self.endings,
            jobs=self._jobs,
            schedules=self._schedules,
            forget=self._forget_schedule,
        )
        self.dispatch.consequences = self.endings
        self.endings.over = self._job_over
        self.mishaps = Mishaps(self._background, self.dispatch, self.allocation, self._jobs)
        interference.attach(self.mishaps)

    async def start(self) -> None:
        """Begin to live."""
        await self._background.start()
        self.retention.start()

    async def close(self) -> None:
        """Stop everything that goes on, and end every node's process."""
        await self._background.close()
        await self.allocation.close()

    def next_job_sequence(self) -> int:
        """Number the jobs in order of creation."""
        self._sequence += 1
        return self._sequence

    def add_pool(self, pool: PoolRuntime) -> None:
        """Take a pool in.

        Args:
            pool: whose id is free.
        """
        if self._changes is not None and pool.record.notes is None:
            self._changes.add(pool.record)
        self._pools[pool.key] = pool
        self.pool_records.add(pool.record.id, pool.record)
        self.autoscaling.watch(pool)

    def restore_pool(self, pool: PoolRuntime) -> None:
        """Take a pool in that was kept.

        Args:
            pool: with its nodes.
        """
        pool.record.attach(self._changes)
        for node in pool.record.nodes:
            node.attach(self._changes)
        self.add_pool(pool)

    def add_job(self, job: JobRuntime) -> None:
        """Take a job in.

        Args:
            job: whose id is free.
        """
        if self._changes is not None and job.record.notes is None:
            job.record.task_changes = JobChanges(self._changes)
            self._changes.add(job.record)
        self._jobs[job.key] = job
        self.job_records.add(job.record.id, job.record)
        self.dispatch.bind(job)

    def restore_job(self, job: JobRuntime) -> None:
        """Take a job in that was kept.

        Args:
            job: with its tasks.
        """
        changes = job.record.task_changes = JobChanges(self._changes)
        job.record.attach(self._changes)
        for task in job.record.tasks:
            task.attach(changes)
        self._sequence = max(self._sequence, job.record.sequence)
        self.add_job(job)

    def add_schedule(self, schedule: ScheduleRuntime) -> None:
        """Take a job schedule in, and let it run.

        Args:
            schedule: whose id is free.
        """
        if self._changes is not None and schedule.record.notes is None:
            self._changes.add(schedule.record)
        self._schedules[schedule.key] = schedule
        self.schedule_records.add(schedule.record.id, schedule.record)
        self.schedule_runs.begin(schedule)

    def restore_schedule(self, schedule: ScheduleRuntime) -> None:
        """Take a job schedule in that was kept.

        Args:
            schedule: whose jobs are there already.
        """
        schedule.record.attach(self._changes)
        self.add_schedule(schedule)

    def check_recurrence(self, spec: Spec) -> None:
        """Refuse times of a job schedule that are too short.

        Args:
            spec: echo of a body.

        Raises:
            ApiError: InvalidPropertyValue.
        """
        for name in ("recurrenceInterval", "startWindow"):
            stated = spec["schedule"].get(name)
            if stated is not None and parse_duration(stated) < self._shortest_recurrence * TICKS_PER_SECOND:
                reason = f"It must be at least {self._shortest_recurrence:g} seconds"
                raise invalid_property(name, stated, reason)

    def schedule(self, name: str) -> ScheduleRuntime:
        """Look a job schedule up.

        Args:
            name: in any case.

        Raises:
            ApiError: JobScheduleNotFound.
        """
        schedule = self._schedules.get(name.lower())
        if schedule is None:
            raise job_schedule_not_found()
        return schedule

    def has_schedule(self, name: str) -> ScheduleRuntime | None:
        """Look a job schedule up that may not be there.

        Args:
            name: in any case.
        """
        return self._schedules.get(name.lower())

    def pool(self, name: str) -> PoolRuntime:
        """Look a pool up.

        Args:
            name: in any case.

        Raises:
            ApiError: PoolNotFound.
        """
        pool = self._pools.get(name.lower())
        if pool is None:
            raise pool_not_found()
        return pool

    def machine(self, pool_name: str, node_name: str) -> Machine:
        """Look a node up.

        Args:
            pool_name: in any case.
            node_name: in any case.

        Raises:
            ApiError: PoolNotFound or NodeNotFound.
        """
        machine = self.pool(pool_name).machines.get(node_name.lower())
        if machine is None:
            raise node_not_found()
        return machine

    def job(self, name: str) -> JobRuntime:
        """Look a job up.

        Args:
            name: in any case.

        Raises:
            ApiError: JobNotFound.
        """
        job = self._jobs.get(name.lower())
        if job is None:
            raise job_not_found()
        return job

    def task(self, job_name: str, task_name: str) -> tuple[JobRuntime, TaskRecord]:
        """Look a task up.

        Args:
            job_name: in any case.
            task_name: in any case.

        Raises:
            ApiError: JobNotFound or TaskNotFound.
        """
        job = self.job(job_name)
        task = job.record.tasks.get(task_name)
        if task is None:
            raise task_not_found()
        return job, task

    def has_pool(self, name: str) -> PoolRuntime | None:
        """Look a pool up that may not be there.

        Args:
            name: in any case.
        """
        return self._pools.get(name.lower())

    def has_job(self, name: str) -> JobRuntime | None:
        """Look a job up that may not be there.

        Args:
            name: in any case.
        """
        return self._jobs.get(name.lower())

    def check_pool_quota(self) -> None:
        """Refuse another pool if there may be no more.

        Raises:
            ApiError: PoolQuotaReached.
        """
        self.quotas.check_pools(self.pool_records)

    def check_job_quota(self) -> None:
        """Refuse another job or job schedule if there may be no more.

        Raises:
            ApiError: ActiveJobAndScheduleQuotaReached.
        """
        self.quotas.check_jobs(self.job_records, self.schedule_records)

    def pools(self) -> Iterator[PoolRuntime]:
        """Walk the pools in order of their ids."""
        return (self._pools[record.id.lower()] for record in self.pool_records)

    def _forget_pool(self, pool: PoolRuntime) -> None:
        if self._changes is not None:
            for node in pool.record.nodes:
                self._changes.remove(node)
            self._changes.remove(pool.record)
        self.autoscaling.forget(pool)
        del self._pools[pool.key]
        self.pool_records.pop(pool.record.id)

    def _forget_job(self, job: JobRuntime) -> None:
        self.dispatch.unbind(job)
        if self._changes is not None:
            if job.record.task_changes is not None:
                job.record.task_changes.cut(job.key)
            self._changes.remove(job.record)
        del self._jobs[job.key]
        self.job_records.pop(job.record.id)

    def _forget_schedule(self, schedule: ScheduleRuntime) -> None:
        if self._changes is not None:
            self._changes.remove(schedule.record)
        del self._schedules[schedule.key]
        self.schedule_records.pop(schedule.record.id)

    def _job_over(self, job: JobRuntime) -> None:
        self.births.bury(job)
        self.schedule_runs.tell(job)
