"""Lets jobs begin: with their pool, if they bring one, and their job manager task, if they have one.

Sources of facts: recorded (the id of an auto pool; the members that a job and its manager inherit); the REST
page "Add a job to an account".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import structlog

from orchestrator.local.batch.dispatch import Dispatch
from orchestrator.local.batch.job_endings import JobEndings
from orchestrator.local.batch.pool_lives import PoolLives
from orchestrator.local.batch.runtime import JobRuntime
from orchestrator.local.batch.scheduler import JobQueue
from orchestrator.local.batch.store.auto_pools import (
    auto_pool_of,
    is_kept,
    lives_with_schedule,
    make_auto_pool,
)
from orchestrator.local.batch.store.creation import make_manager_task, make_scheduled_job
from orchestrator.local.batch.store.records import JobRecord
from orchestrator.local.batch.store.schedules import ScheduleRecord

log = structlog.get_logger("orchestrator.local.batch")


class JobBirths:
    """Makes jobs live.

    Args:
        dispatch: takes their tasks.
        endings: keeps their limits.
        pools: makes and deletes the pools that they bring.
        jobs: by key.
        add: takes a job into the account.
        number: gives the next job's number.
    """

    def __init__(
        self,
        *,
        dispatch: Dispatch,
        endings: JobEndings,
        pools: PoolLives,
        jobs: Mapping[str, JobRuntime],
        add: Callable[[JobRuntime], None],
        number: Callable[[], int],
    ) -> None:
        self._dispatch = dispatch
        self._endings = endings
        self._pools = pools
        self._jobs = jobs
        self._add = add
        self._number = number

    def begin(self, record: JobRecord) -> JobRuntime:
        """Let a job begin.

        Args:
            record: new; its id is free.
        """
        spec = auto_pool_of(record.spec)
        if spec is not None and record.auto_pool_id is None:
            pool = make_auto_pool(spec, record.started)
            record.auto_pool_id = pool.id
            self._pools.begin(pool)
        job = JobRuntime(record, JobQueue(record.id.lower(), record.sequence))
        tune(job)
        self._add(job)
        if "jobManagerTask" in record.spec:
            self._dispatch.enqueue(job, make_manager_task(record, record.started))
            self._dispatch.schedule(record.pool_id)
        self._endings.watch(job)
        return job

    def begin_scheduled(self, schedule: ScheduleRecord, at: int) -> JobRuntime:
        """Let the next job of a schedule begin.

        Args:
            schedule: that has taken note of it.
            at: when.
        """
        record = make_scheduled_job(schedule, self._number(), at)
        spec = auto_pool_of(record.spec)
        if spec is not None and lives_with_schedule(spec):
            if schedule.auto_pool_id is None:
                pool = make_auto_pool(spec, at)
                schedule.auto_pool_id = pool.id
                self._pools.begin(pool)
            record.auto_pool_id = schedule.auto_pool_id
        return self.begin(record)

    def bury(self, job: JobRuntime) -> None:
        """Delete the pool that a job brought, unless it is to be kept.

        Args:
            job: completed or gone.
        """
        spec = auto_pool_of(job.record.spec)
        name = job.record.auto_pool_id
        if spec is not None and name is not None and not is_kept(spec) and not lives_with_schedule(spec):
            self._pools.drop(name)

    def drop_pool(self, schedule: ScheduleRecord) -> None:
        """Delete the pool of a schedule's jobs, unless it is to be kept.

        Args:
            schedule: completed or gone.
        """
        spec = auto_pool_of(schedule.spec["jobSpecification"])
        if spec is not None and schedule.auto_pool_id is not None and not is_kept(spec):
            self._pools.drop(schedule.auto_pool_id)


def tune(job: JobRuntime) -> None:
    """Let the scheduler know what a job wants.

    Args:
        job: new or changed.
    """
    job.queue.priority = job.record.spec["priority"]
    job.queue.most_parallel = job.record.spec["maxParallelTasks"]
