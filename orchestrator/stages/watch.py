"""Stage: watches the tasks until all that were accepted have ended, and tells every change of state."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

import anyio
import structlog

from orchestrator.accounts.batch import BatchAccount
from orchestrator.errors import (
    AuthenticationError,
    NotFoundError,
    OrchestratorError,
    ServiceError,
    UnreachableError,
)
from orchestrator.events import Event, Publish
from orchestrator.limits import Limits
from orchestrator.stages.reach import Reach
from orchestrator.stages.reactivate import Reactivation
from orchestrator.states import JobState
from orchestrator.tracker import TaskTracker

log = structlog.get_logger()

_SLOWER = 1.5
# Rows that cost nothing worth speaking of, and those that a change is worth.
_FEW = 100
_WORTH = 8
# As many as a page has.
_MANY = 1000
# Events of one page that are told at once; delivering more would keep the loop for long.
_TOLD_TOGETHER = 200
# Tasks of one page that are compared in one turn: others wait meanwhile.
_READ_TOGETHER = 50
_ENDED_JOBS = frozenset({JobState.TERMINATING, JobState.COMPLETED, JobState.DELETING})


def next_interval(interval: float, *, changes: int, rows: int, limits: Limits) -> float:
    """How long to wait for the next look: short after changes, longer when there are none.

    A look that lists many tasks of which few are news gains nothing from being sooner: what comes back is
    mostly the overlap, once more. So it is in a job's first seconds, when all its tasks are new. Nor does one
    of a job so busy that it fills pages: it would take the time from the submission (measured).

    Args:
        interval: before the last look, in seconds.
        changes: what the last look told.
        rows: how many tasks it listed.
        limits: `poll_floor` and `poll_interval`.
    """
    if changes and rows <= max(_FEW, min(changes * _WORTH, _MANY)):
        return max(interval / 2, limits.poll_floor)
    return min(max(interval, limits.poll_floor) * _SLOWER, limits.poll_interval)


def last_end_in(left: int, *, ended: int, elapsed: float) -> float:
    """When the last task would end if all went on at the pace of the last look: the next one is due then.

    Args:
        left: tasks that have not ended.
        ended: those that ended between the last two looks.
        elapsed: seconds between these.

    Returns:
        Seconds from now on; infinity where nothing tells.
    """
    return left * elapsed / ended if ended > 0 else float("inf")


class TaskWatch:
    """One stream of looks at the tasks of one job.

    Most looks ask only for what changed since the last one, with an overlap (see `Reach`); every so often one
    asks for everything. A look that fails is tried again at the next: a failed poll never fails a healthy
    task.

    Args:
        job_id: of the job.
        batch: where.
        tracker: turns snapshots into events.
        publish: told of every change.
        limits: intervals.
        ours: whether a task of that id belongs to the run; others in its job are none of its business.
        left: how many accepted tasks have not ended; None while tasks are being added.
        reactivation: keeps back the ends of tasks that may run again.

    Attributes:
        looked: set once a look at the tasks has come to its end.
    """

    def __init__(
        self,
        *,
        job_id: str,
        batch: BatchAccount,
        tracker: TaskTracker,
        publish: Publish,
        limits: Limits,
        ours: Callable[[str], bool],
        left: Callable[[], int | None],
        reactivation: Reactivation,
    ) -> None:
        self._job_id = job_id
        self._batch = batch
        self._tracker = tracker
        self._publish = publish
        self._limits = limits
        self._ours = ours
        self._left = left
        self._reactivation = reactivation
        self._failing: tuple[float, str] | None = None
        self._newest: datetime | None = None
        self._took = 0.0
        self._reach = Reach(limits.watch_overlap)
        self._last_full = -float("inf")
        self._interval = limits.poll_floor
        self._changes = 0
        self._rows = 0
        self.looked = anyio.Event()

    @property
    def outage(self) -> str | None:
        """Why looks fail, and for how long they have; None while they don't."""
        if self._failing is None:
            return None
        since, error = self._failing
        return f"the service has not answered for {anyio.current_time() - since:.0f} s: {error}"

    async def run(self) -> str | None:
        """Watch until every accepted task has ended, or the job was ended by somebody else.

        Returns:
            None if every task ended, else why the rest never will.

        Raises:
            AuthenticationError: the account refuses us.
        """
        left, at = self._left(), anyio.current_time()
        while True:
            ended = await self._attempt()
            left, before = self._left(), left
            at, elapsed = anyio.current_time(), anyio.current_time() - at
            if left == 0:
                return None
            if ended is not None:
                return ended
            self._interval = pause = next_interval(
                self._interval, changes=self._changes, rows=self._rows, limits=self._limits
            )
            if left is not None and before is not None:
                last = last_end_in(left, ended=before - left, elapsed=elapsed)
                pause = min(pause, max(last, self._limits.poll_floor))
            await anyio.sleep(pause)

    async def _attempt(self) -> str | None:
        """One look; returns why there will be no other, None otherwise."""
        await self._batch.looks.turn()
        began = anyio.current_time()
        try:
            ended = await self._look()
        except AuthenticationError:
            raise
        except NotFoundError:
            return "the job was deleted by somebody else"
        except (ServiceError, UnreachableError) as error:
            log.warning("watch.look_failed", job=self._job_id, error=str(error))
            self._failing = (self._failing[0] if self._failing else began, str(error))
            return None
        self._failing = None
        return ended

    async def _look(self) -> str | None:
        self._changes = self._rows = 0
        full = anyio.current_time() - self._last_full >= self._limits.reconcile_interval
        job_ended: str | None = None
        if full:
            job_ended = await self._job_ended()
        await self._list(None if full else self._changed_since())
        if full:
            self._last_full = anyio.current_time()
        self.looked.set()
        return job_ended

    async def _job_ended(self) -> str | None:
        """Whether somebody else ended the job; looked at before the tasks, so that those are final."""
        job = await self._batch.get_job(self._job_id)
        if job.state not in _ENDED_JOBS:
            return None
        if job.state is JobState.TERMINATING:
            return None  # tasks are still being ended; the next full look decides
        return f"the job is {job.state} ({job.terminate_reason or 'no reason given'})"

    async def _list(self, changed_since: str | None) -> None:
        began, newest, pages = anyio.current_time(), self._newest, 0
        async for page in self._batch.list_tasks(self._job_id, filter=changed_since):
            # What the tracker has taken in must be told, or a completed task would be lost for good: a
            # cancellation waits for the end of the page.
            pages += 1
            self._rows += len(page)
            with anyio.CancelScope(shield=True):
                told: list[Event] = []
                for place, snapshot in enumerate(page, 1):
                    if place % _READ_TOGETHER == 0:
                        await asyncio.sleep(0)
                    if newest is None or snapshot.state_changed > newest:
                        newest = snapshot.state_changed
                    if self._ours(snapshot.id) and not self._reactivation.keeps(snapshot):
                        news = self._tracker.observe(snapshot)
                        if news:
                            told.extend(news)
                            self._note_lateness(snapshot.state_changed)
                    if len(told) >= _TOLD_TOGETHER:
                        await self._tell(told)
                await self._tell(told)
                for surprise in self._tracker.take_surprises():
                    log.warning("watch.impossible_move", job=self._job_id, told=str(surprise))

        # Only now: what the pages that did not come would have shown is older than what came may be.
        if newest != self._newest:
            # All of one page is from one moment, whatever it waited for.
            self._newest = newest
            self._took = anyio.current_time() - began if pages > 1 else 0.0
        # Not shielded: until it is told, such a task has not ended for anybody.
        over = await self._reactivation.carry_out()
        with anyio.CancelScope(shield=True):
            await self._tell([event for snapshot in over for event in self._tracker.observe(snapshot)])

    async def _tell(self, told: list[Event]) -> None:
        """Tell what was seen together together: it is recorded in one go."""
        events = tuple(told)
        told.clear()
        self._changes += len(events)
        await self._publish(*events)

    def _note_lateness(self, changed: datetime) -> None:
        if self._newest is not None and changed < self._newest:
            self._reach.came(max((self._newest - changed).total_seconds() - self._took, 0.0))

    def _changed_since(self) -> str | None:
        if self._newest is None:
            return None
        # What changes while a list is read may be on a page that was read already.
        reach = self._reach.next(anyio.current_time())
        since = self._newest - timedelta(seconds=reach + self._took)
        return f"stateTransitionTime ge DateTime'{since:%Y-%m-%dT%H:%M:%S.%f}Z'"


async def say_all_added(*, job_id: str, change: Mapping[str, Any], batch: BatchAccount) -> None:
    """Tell the service that no task will be added any more. If it refuses, the job is ended at clean-up.

    Args:
        job_id: of the job.
        change: to be made of the job right after the last task was added.
        batch: where.
    """
    if not change:
        return
    try:
        await batch.patch_job(job_id, change)
    except OrchestratorError as error:
        # The job ends at clean-up then; nothing is lost but a place in the active-job quota meanwhile.
        log.warning("job.not_marked_complete", job=job_id, error=str(error))
