"""Lets go of what stays against expectation: it was marked to expire, and must not any more."""

from __future__ import annotations

from collections.abc import Awaitable
from http import HTTPStatus

from orchestrator.errors import NotFoundError, OrchestratorError, ServiceError
from orchestrator.handlers.cleanup_account import BatchLike, StorageLike
from orchestrator.spec.last_net import LastNet
from orchestrator.spec.marks import EXPIRES_KEY, RUN_KEY, released
from orchestrator.states import PoolState

LOOKS = 3
"""How often a thing is looked at that was changed each time between our look and our request."""


async def as_seen(change: Awaitable[object]) -> bool:
    """Carry out a request that names what was looked at; False if somebody changed it meanwhile."""
    try:
        await change
    except ServiceError as refused:
        if refused.status != HTTPStatus.PRECONDITION_FAILED:
            raise
        return False
    return True


class Release:
    """Takes the expiry off what a run created, and the net off its pool.

    Each method returns what is to be told beside the reason why the thing is kept: nothing when all went
    well. Errors of the service are told, not raised; a thing that is gone is left to others to notice.

    Args:
        run_id: of the run.
        batch: where job and pool are.
        storage: where the containers are.
    """

    def __init__(self, *, run_id: str, batch: BatchLike, storage: StorageLike) -> None:
        self._run_id = run_id
        self._batch = batch
        self._storage = storage

    async def job(self, job_id: str) -> str:
        """A job. One that is over can't be changed any more."""
        return await self._told(self._job(job_id))

    async def pool(self, pool_id: str) -> str:
        """A pool."""
        return await self._told(self._pool(pool_id))

    async def container(self, name: str) -> str:
        """A container, the application's too, which several runs may share."""
        return await self._told(self._container(name))

    async def _told(self, work: Awaitable[bool]) -> str:
        try:
            return "" if await work else "; it still expires, since others keep changing it"
        except NotFoundError:
            return ""
        except OrchestratorError as error:
            return f"; it still expires, and `orchestrator gc` deletes it then: {error}"

    async def _job(self, job_id: str) -> bool:
        for _ in range(LOOKS):
            found = await self._batch.get_job(job_id)
            rest = released(found.metadata) if self._is_ours(found.metadata) else None
            if rest is None or await as_seen(
                self._batch.lifetimes.mark_job(job_id, rest, if_match=found.etag)
            ):
                return True
        return False

    async def _pool(self, pool_id: str) -> bool:
        for _ in range(LOOKS):
            found = await self._batch.get_pool(pool_id)
            if not self._is_ours(found.metadata) or found.state is PoolState.DELETING:
                return True
            rest = released(found.metadata)
            if rest is None or await as_seen(
                self._batch.lifetimes.mark_pool(pool_id, rest, if_match=found.etag)
            ):
                if LastNet.read(found.body.get("autoScaleFormula")) is not None:
                    await self._batch.lifetimes.disable_autoscale(pool_id)
                return True
        return False

    async def _container(self, name: str) -> bool:
        found = await self._storage.containers.look(name)
        rest = released(found.metadata)
        if rest is not None and EXPIRES_KEY in dict(found.metadata):
            await self._storage.containers.mark(name, rest)
        return True

    def _is_ours(self, metadata: tuple[tuple[str, str], ...]) -> bool:
        return dict(metadata).get(RUN_KEY) == self._run_id
