"""Stage: lets failed tasks run again where the job file says so, and tells it."""

from __future__ import annotations

import structlog

from orchestrator.accounts.batch import BatchAccount
from orchestrator.errors import (
    ConflictError,
    NotFoundError,
    OrchestratorError,
    ServiceError,
    UnreachableError,
)
from orchestrator.events import Publish
from orchestrator.limits import Limits
from orchestrator.stages.workers import run_workers
from orchestrator.states import TaskSnapshot
from orchestrator.tracker import AfterEnd, Retries, TaskTracker, classify

log = structlog.get_logger()


class Reactivation:
    """Keeps back the ends of tasks that may run again, until it is known whether they do.

    What is kept back was not told to the tracker: if the program dies or the run ends meanwhile, such a task
    has not ended for anybody.

    Args:
        job_id: of the job.
        batch: where.
        tracker: told of what runs again.
        retries: decides.
        publish: told of it.
        limits: `submissions` requests at once.
    """

    def __init__(
        self,
        *,
        job_id: str,
        batch: BatchAccount,
        tracker: TaskTracker,
        retries: Retries,
        publish: Publish,
        limits: Limits = Limits(),  # noqa: B008 - frozen
    ) -> None:
        self._at_once = limits.submissions
        self._job_id = job_id
        self._batch = batch
        self._tracker = tracker
        self._retries = retries
        self._publish = publish
        self._kept: dict[str, TaskSnapshot] = {}

    def keeps(self, snapshot: TaskSnapshot) -> bool:
        """Whether this look is none of the tracker's business, or not yet.

        Args:
            snapshot: of a task of the run.
        """
        if self._tracker.has_completed(snapshot.id):
            return False
        after = self._retries.look(snapshot)
        if after is AfterEnd.RETRY:
            self._kept[snapshot.id] = snapshot
        elif after is AfterEnd.NOTHING:
            self._kept.pop(snapshot.id, None)  # somebody else reactivated it, or it was given up
        return after is not AfterEnd.NOTHING

    async def carry_out(self) -> list[TaskSnapshot]:
        """Ask for what is kept back to run again.

        Returns:
            The ends of those that the service does not let run again: the tracker is to have them.
        """
        over: list[TaskSnapshot] = []
        kept = iter(list(self._kept.items()))

        async def work() -> None:
            for task_id, snapshot in kept:  # shared by all: next() never awaits
                if await self._over(task_id, snapshot):
                    over.append(snapshot)

        # Several at once: a node that goes takes many tasks with it, and looks wait meanwhile.
        await run_workers(min(self._at_once, len(self._kept)), work)
        return over

    async def _over(self, task_id: str, snapshot: TaskSnapshot) -> bool:
        """Ask for one task to run again; True if the service does not let it."""
        try:
            await self._batch.care.reactivate_task(self._job_id, task_id)
        except (ConflictError, NotFoundError) as refused:
            log.warning("task.not_reactivated", job=self._job_id, task=task_id, error=str(refused))
            self._retries.refused(task_id)
            self._kept.pop(task_id, None)
            return True
        except (ServiceError, UnreachableError) as error:
            log.warning("task.reactivation_failed", job=self._job_id, task=task_id, error=str(error))
            return False  # kept: the next look tries again
        self._retries.reactivated(snapshot)
        await self._publish(self._tracker.reactivated(snapshot, classify(snapshot.failure)))
        self._kept.pop(task_id, None)
        return False


async def end_job(*, job_id: str, batch: BatchAccount) -> None:
    """End a job that does not end by itself, once all of its tasks are over.

    Args:
        job_id: of the job.
        batch: where.
    """
    try:
        await batch.terminate_job(job_id, "AllTasksComplete")
    except OrchestratorError as error:
        # Clean-up ends it then; nothing is lost but a place in the active-job quota meanwhile.
        log.warning("job.not_ended", job=job_id, error=str(error))
