"""Stage: stands for what the run uses, by renewing what says in the service until when it is somebody's.

A program that dies renews nothing: what it leaves expires, and `orchestrator gc` finds it, from any machine.
Pools with a last net shrink by themselves. A renewal that fails harms no run: the next one comes long before
anything expires.
"""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from http import HTTPStatus

import anyio
import structlog

from orchestrator.accounts.batch import BatchAccount
from orchestrator.accounts.storage import StorageAccount
from orchestrator.errors import NotFoundError, OrchestratorError, ServiceError
from orchestrator.events import utc_now
from orchestrator.limits import Limits
from orchestrator.spec.duration import Duration
from orchestrator.spec.ids import input_container, output_container
from orchestrator.spec.last_net import LastNet
from orchestrator.spec.marks import APPLICATION_KEY, NET_KEY, RUN_KEY, renewed
from orchestrator.spec.plan import RunPlan
from orchestrator.states import AllocationState, JobState, PoolState

_log = structlog.get_logger()
_SOONER = 10
"""How many times sooner it is tried again when something was not renewed."""
_LOOKS = 3
_ENDING = (JobState.TERMINATING, JobState.COMPLETED, JobState.DELETING)


class Ownership:
    """Renews the marks of a run's job and containers, of its application's container, and of the pool.

    The pool may be another run's: who uses it stands for it too, so that it goes when the last one has gone.
    What has no expiry gets none.

    Args:
        plan: of the run.
        batch: where pool and job are.
        storage: where the containers are.
        limits: `ownership_lifetime`, `ownership_interval`, `pool_net_time` and `pool_net_interval`.
        job_lifetime: how long the job may live on the service, in seconds.
        fresh: whether the run has just made its job and containers, or is about to, whose marks need nothing
            yet: looking at them would only be in the way of all that a beginning run has to do.
    """

    def __init__(
        self,
        *,
        plan: RunPlan,
        batch: BatchAccount,
        storage: StorageAccount,
        limits: Limits,
        job_lifetime: float,
        fresh: bool = False,
    ) -> None:
        self._plan = plan
        self._batch = batch
        self._storage = storage
        self._limits = limits
        self._job_lifetime = job_lifetime
        self._fresh = fresh
        self._application: str | None = None

    async def keep(self) -> None:
        """Renew in the interval, until cancelled: run it beside the rest of the run.

        Each thing by itself, so that one that is put off or unreachable does not keep the others waiting.
        """
        run_id = self._plan.run_id
        own = (input_container(run_id), output_container(run_id))
        steps: list[tuple[str, Callable[[], Awaitable[bool]]]] = [
            (f"job {self._plan.job_id}", self._renew_job),
            ("application", self._renew_application),
            *((f"container {name}", functools.partial(self._renew_container, name)) for name in own),
        ]
        # The pool may be there for long already.
        pool: list[tuple[str, Callable[[], Awaitable[bool]]]] = [
            (f"pool {self._plan.pool_id}", self._renew_pool),
            (f"net of pool {self._plan.pool_id}", self._renew_net),
        ]
        pause = self._limits.ownership_interval / _SOONER if self._fresh else 0.0
        async with anyio.create_task_group() as group:
            for what, step in pool:
                group.start_soon(self._repeat, what, step, 0.0)
            for what, step in steps:
                group.start_soon(self._repeat, what, step, pause)

    async def _repeat(self, what: str, step: Callable[[], Awaitable[bool]], pause: float) -> None:
        interval = self._limits.ownership_interval
        await anyio.sleep(pause)
        while True:
            done = False
            try:
                done = await step()
            except NotFoundError:
                _log.debug("ownership.not_there", run=self._plan.run_id, what=what)
            except OrchestratorError as error:
                _log.warning("ownership.not_renewed", run=self._plan.run_id, what=what, error=str(error))
            await anyio.sleep(interval if done else interval / _SOONER)

    async def _renew_job(self) -> bool:
        for _ in range(_LOOKS):
            found = await self._batch.get_job(self._plan.job_id)
            told = dict(found.metadata)
            if told.get(RUN_KEY) != self._plan.run_id or found.state in _ENDING:
                return True
            self._application = told.get(APPLICATION_KEY)
            changed = renewed(found.metadata, self._until, enough=self._enough)
            if changed is None or await _as_seen(
                self._batch.lifetimes.mark_job(found.id, changed, if_match=found.etag)
            ):
                return True
        return False

    async def _renew_pool(self) -> bool:
        for _ in range(_LOOKS):
            found = await self._batch.get_pool(self._plan.pool_id)
            changed = renewed(found.metadata, self._until, enough=self._enough)
            if changed is None or found.state is PoolState.DELETING:
                return True
            if await _as_seen(self._batch.lifetimes.mark_pool(found.id, changed, if_match=found.etag)):
                return True
        return False

    async def _renew_net(self) -> bool:
        """Let the pool's net hold longer, or cast it over a pool of this run that could not have it yet."""
        found = await self._batch.get_pool(self._plan.pool_id)
        if found.state is PoolState.DELETING:
            return True
        net = LastNet.read(found.body.get("autoScaleFormula"))
        told = dict(found.metadata)
        if net is None:
            ours = told.get(RUN_KEY) == self._plan.run_id and NET_KEY in told
            if not ours or found.body.get("enableAutoScale"):
                return True
        if found.allocation_state is not AllocationState.STEADY:
            return False  # the service refuses it meanwhile
        now = utc_now()
        until = now + timedelta(seconds=self._limits.pool_net_time)
        end = now + timedelta(seconds=self._job_lifetime)
        net = net or LastNet(
            dedicated=found.target_dedicated_nodes,
            low_priority=found.target_low_priority_nodes,
            until=until,
            end=end,
        )
        await self._batch.lifetimes.enable_autoscale(
            found.id,
            net.extended(until=until, end=end).formula,
            Duration.of(self._limits.pool_net_interval).iso,
        )
        return True

    async def _renew_container(self, name: str) -> bool:
        found = await self._storage.containers.look(name)
        changed = renewed(found.metadata, self._until, enough=self._enough)
        if changed is not None:
            await self._storage.containers.mark(name, changed)
        return True

    async def _renew_application(self) -> bool:
        return self._application is None or await self._renew_container(self._application)

    @property
    def _until(self) -> datetime:
        return utc_now() + timedelta(seconds=self._limits.ownership_lifetime)

    @property
    def _enough(self) -> datetime:
        # What has just been created, or renewed by another run, needs nothing.
        return self._until - timedelta(seconds=self._limits.ownership_interval / 2)


async def _as_seen(change: Awaitable[None]) -> bool:
    """Carry out a change of what was looked at; False if somebody was faster."""
    try:
        await change
    except ServiceError as refused:
        if refused.status != HTTPStatus.PRECONDITION_FAILED:
            raise
        return False
    return True
