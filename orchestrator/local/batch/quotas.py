"""How much the account may have; None for as much as it likes. The numbers may be changed while it lives.

Source of facts: the product page "Batch service quotas and limits": jobs that are completed are free, job
schedules count as jobs.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from orchestrator.local.batch.errors import job_quota_reached, pool_quota_reached
from orchestrator.local.batch.store.records import JobRecord, PoolRecord
from orchestrator.local.batch.store.schedules import ScheduleRecord, ScheduleState
from orchestrator.local.batch.store.states import JobState


@dataclass(slots=True, kw_only=True)
class Quotas:
    """Of one account.

    Args:
        pools: those that jobs bring along included.
        active_jobs: jobs and job schedules that are not completed.
    """

    pools: int | None = None
    active_jobs: int | None = None

    def check_pools(self, pools: Iterable[PoolRecord]) -> None:
        """Refuse another pool if there may be no more.

        Args:
            pools: all there are.

        Raises:
            ApiError: PoolQuotaReached.
        """
        if self.pools is not None and sum(1 for _ in pools) >= self.pools:
            raise pool_quota_reached()

    def check_jobs(self, jobs: Iterable[JobRecord], schedules: Iterable[ScheduleRecord]) -> None:
        """Refuse another job or job schedule if there may be no more.

        Args:
            jobs: all there are.
            schedules: all there are.

        Raises:
            ApiError: ActiveJobAndScheduleQuotaReached.
        """
        if self.active_jobs is None:
            return
        active = sum(job.state is not JobState.COMPLETED for job in jobs)
        active += sum(schedule.state is not ScheduleState.COMPLETED for schedule in schedules)
        if active >= self.active_jobs:
            raise job_quota_reached()
