"""Finds and deletes what has expired on an account, from any machine: no journal is asked.

What is deleted is read again right before, and deleted only as it was read: what was renewed meanwhile stays.
"""

from __future__ import annotations

import enum
from collections.abc import Awaitable, Callable, Iterable, Iterator
from datetime import timedelta
from http import HTTPStatus

import msgspec

from orchestrator.accounts.account import Account
from orchestrator.errors import NotFoundError, OrchestratorError, ServiceError, error_text
from orchestrator.events import utc_now
from orchestrator.limits import Limits
from orchestrator.stages.workers import run_workers
from orchestrator.states import JobState, NodeSnapshot, PoolState
from orchestrator.tracker import garbage as decisions
from orchestrator.tracker.garbage import Garbage, GarbageKind

_LOOKS = 3


class Fate(enum.StrEnum):
    """What became of something that had expired.

    DELETED: it is gone.
    GONE: somebody else deleted it.
    RENEWED: somebody stands for it again, or changes it all the time.
    NEEDED: something that has not expired needs it.
    FAILED: it is still there.
    """

    DELETED = "deleted"
    GONE = "gone"
    RENEWED = "renewed"
    NEEDED = "needed"
    FAILED = "failed"


class Collected(msgspec.Struct, frozen=True, kw_only=True):
    """What became of something that had expired.

    Args:
        garbage: as it was found.
        fate: of it.
        reason: why it is still there; empty if it is not.
    """

    garbage: Garbage
    fate: Fate
    reason: str = ""

    @property
    def left(self) -> bool:
        """Whether it should be gone and is not."""
        return self.fate is Fate.FAILED


class Running(msgspec.Struct, frozen=True, kw_only=True):
    """What a pool costs.

    Args:
        vm_size: of its nodes.
        dedicated_nodes: how many there are now.
        low_priority_nodes: of the spot kind.
        dedicated_hours: how long the nodes that are there have been there, all together.
        low_priority_hours: of the spot kind.
    """

    vm_size: str
    dedicated_nodes: int
    low_priority_nodes: int
    dedicated_hours: float
    low_priority_hours: float


class GarbageCollection:
    """Of one account.

    Args:
        account: open.
        limits: how long a deletion is waited for, and how many go on at once.
        grace: how long after its expiry a thing is left alone, since clocks differ.
    """

    def __init__(self, account: Account, *, limits: Limits, grace: timedelta) -> None:
        self._batch = account.batch
        self._storage = account.storage
        self._limits = limits
        self._grace = grace

    async def find(self) -> tuple[Garbage, ...]:
        """Everything that has expired, in the order in which it can go.

        Raises:
            ServiceError, UnreachableError: the account refused or did not answer.
        """
        return decisions.find_garbage(await self._look(), now=utc_now(), grace=self._grace)

    async def running(self, pool_id: str) -> Running | None:
        """What a pool costs; None if it is gone.

        Raises:
            ServiceError, UnreachableError: the account refused or did not answer.
        """
        try:
            pool = await self._batch.get_pool(pool_id)
            nodes = await self._batch.list_nodes(pool_id)
        except NotFoundError:
            return None
        return Running(
            vm_size=pool.vm_size,
            dedicated_nodes=pool.current_dedicated_nodes,
            low_priority_nodes=pool.current_low_priority_nodes,
            dedicated_hours=_hours(nodes, dedicated=True),
            low_priority_hours=_hours(nodes, dedicated=False),
        )

    async def delete(self, found: Iterable[Garbage]) -> tuple[Collected, ...]:
        """Delete what was found and is still garbage, and wait until it is gone.

        Args:
            found: by `find`.

        Returns:
            What became of each, in the order in which it was done.
        """
        collected: list[Collected] = []
        found = tuple(found)
        # One kind after the other: jobs are on pools, and pools and jobs name applications.
        for kind in GarbageKind:
            work = iter([one for one in found if one.kind is kind])

            async def delete_all(work: Iterator[Garbage] = work) -> None:
                # Shared by all: next() never awaits, so nothing is taken twice.
                while (one := next(work, None)) is not None:
                    collected.append(await self._delete(one))

            await run_workers(self._limits.uploads, delete_all)
        return tuple(collected)

    async def _delete(self, garbage: Garbage) -> Collected:
        ways: dict[GarbageKind, Callable[[Garbage], Awaitable[Collected | None]]] = {
            GarbageKind.JOB: self._delete_job,
            GarbageKind.POOL: self._delete_pool,
            GarbageKind.CONTAINER: self._delete_container,
            GarbageKind.APPLICATION: self._delete_container,
        }
        try:
            for _ in range(_LOOKS):
                try:
                    collected = await ways[garbage.kind](garbage)
                except ServiceError as refused:
                    if refused.status != HTTPStatus.PRECONDITION_FAILED:
                        raise
                else:
                    return collected or Collected(garbage=garbage, fate=Fate.DELETED)
            reason = "somebody changed it each time it was looked at"
            return Collected(garbage=garbage, fate=Fate.RENEWED, reason=reason)
        except NotFoundError:
            return Collected(garbage=garbage, fate=Fate.GONE)
        except OrchestratorError as error:
            return Collected(garbage=garbage, fate=Fate.FAILED, reason=error_text(error))

    async def _delete_job(self, garbage: Garbage) -> Collected | None:
        found = await self._batch.get_job(garbage.id)
        if found.state is not JobState.DELETING:
            if not self._expired(found.metadata):
                return _renewed(garbage)
            await self._batch.lifetimes.delete_job(garbage.id, if_match=found.etag)
        return None if await self._batch.wait_job_gone(garbage.id) else self._still_there(garbage)

    async def _delete_pool(self, garbage: Garbage) -> Collected | None:
        found = await self._batch.get_pool(garbage.id)
        if found.state is not PoolState.DELETING:
            if not self._expired(found.metadata):
                return _renewed(garbage)
            seen = decisions.Account(pools=(), jobs=await self._batch.list_jobs(), containers=())
            user = decisions.pool_user(seen, garbage.id, now=utc_now(), grace=self._grace)
            if user is not None:
                return Collected(garbage=garbage, fate=Fate.NEEDED, reason=f"{user} is on it")
            await self._batch.lifetimes.delete_pool(garbage.id, if_match=found.etag)
        return None if await self._batch.wait_pool_gone(garbage.id) else self._still_there(garbage)

    async def _delete_container(self, garbage: Garbage) -> Collected | None:
        found = await self._storage.containers.look(garbage.id)
        if not self._expired(found.metadata):
            return _renewed(garbage)
        application = garbage.kind is GarbageKind.APPLICATION
        pools = await self._batch.list_pools() if application else ()
        seen = decisions.Account(pools=pools, jobs=await self._batch.list_jobs(), containers=())
        now = utc_now()
        if application:
            user = decisions.application_user(seen, garbage.id, now=now, grace=self._grace)
        else:
            user = decisions.run_user(seen, garbage.run_id, now=now, grace=self._grace)
        if user is not None:
            return Collected(garbage=garbage, fate=Fate.NEEDED, reason=f"{user} needs it")
        await self._storage.containers.delete(garbage.id, unmodified_since=found.modified)
        return None

    async def _look(self) -> decisions.Account:
        # Containers first: who creates a container and then a job or pool that names it is seen with both.
        containers = await self._storage.containers.list()
        return decisions.Account(
            containers=containers, jobs=await self._batch.list_jobs(), pools=await self._batch.list_pools()
        )

    def _expired(self, metadata: Iterable[tuple[str, str]]) -> bool:
        return decisions.expired(metadata, utc_now(), self._grace)

    def _still_there(self, garbage: Garbage) -> Collected:
        limit = self._limits.deletion_timeout
        reason = f"its deletion was accepted, but it is still there after {limit:g} s"
        return Collected(garbage=garbage, fate=Fate.FAILED, reason=reason)


def _renewed(garbage: Garbage) -> Collected:
    return Collected(garbage=garbage, fate=Fate.RENEWED, reason="somebody stands for it again")


def _hours(nodes: Iterable[NodeSnapshot], *, dedicated: bool) -> float:
    there = (node.allocated_at for node in nodes if node.dedicated is dedicated)
    return decisions.node_hours(there, now=utc_now())
