"""How long pools and jobs stay: marks renewed, nets cast over pools, deletions of what was looked at.

Facts that shape it: the ETag of a pool and of a job moves with what users write and not with what the service
does, so that a request that names it reaches what was looked at, or nothing (recorded; REST: Specifying
Conditional Headers). A patch replaces `metadata` whole. Scaling is enabled for a steady pool only, twice a
minute at most (REST: Pool - Enable Auto Scale).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from orchestrator.accounts.bodies import encode
from orchestrator.accounts.pipeline import BatchPipeline
from orchestrator.accounts.retry import Tries
from orchestrator.errors import ConflictError, NotFoundError

_DELETING: Final = frozenset({"PoolBeingDeleted", "JobBeingDeleted"})


class BatchLifetimes:
    """What an account can be asked for about how long things stay. Errors are those of `BatchAccount`.

    Args:
        pipeline: sends the requests.
    """

    def __init__(self, pipeline: BatchPipeline) -> None:
        self._pipeline = pipeline

    async def mark_pool(
        self, pool_id: str, metadata: Iterable[tuple[str, str]], *, if_match: str | None
    ) -> None:
        """Replace a pool's metadata (REST: Pool - Patch).

        Args:
            pool_id: of the pool.
            metadata: all of it.
            if_match: the ETag of the pool that was looked at; ServiceError 412 if it has changed since.
        """
        await self._mark(f"mark pool {pool_id}", ("pools", pool_id), metadata, if_match)

    async def mark_job(
        self, job_id: str, metadata: Iterable[tuple[str, str]], *, if_match: str | None
    ) -> None:
        """Replace a job's metadata (REST: Job - Patch).

        Args:
            job_id: of the job.
            metadata: all of it.
            if_match: as of `mark_pool`.
        """
        await self._mark(f"mark job {job_id}", ("jobs", job_id), metadata, if_match)

    async def enable_autoscale(self, pool_id: str, formula: str, interval: str) -> None:
        """Scale a pool by a formula from now on, in place of any other (REST: Pool - Enable Auto Scale).

        Args:
            pool_id: of a steady pool.
            formula: runs at once and in each interval.
            interval: as ISO 8601, such as `PT5M`.

        Raises:
            ConflictError: `PoolBeingResized`.
        """
        body = encode({"autoScaleFormula": formula, "autoScaleEvaluationInterval": interval})
        path = ("pools", pool_id, "enableautoscale")
        await self._pipeline.call(f"enable autoscale of pool {pool_id}", "POST", path, body=body)

    async def disable_autoscale(self, pool_id: str) -> None:
        """Leave a pool at its size from now on (REST: Pool - Disable Auto Scale)."""
        path = ("pools", pool_id, "disableautoscale")
        await self._pipeline.call(f"disable autoscale of pool {pool_id}", "POST", path)

    async def delete_pool(self, pool_id: str, *, if_match: str | None = None) -> bool:
        """Begin to delete a pool (REST: Pool - Delete).

        Args:
            pool_id: of the pool.
            if_match: as of `mark_pool`; None for whatever is there.

        Returns:
            True when its deletion is under way, False when there is none (any more).
        """
        return await self._delete(f"delete pool {pool_id}", ("pools", pool_id), if_match)

    async def delete_job(self, job_id: str, *, if_match: str | None = None) -> bool:
        """Begin to delete a job with its tasks (REST: Job - Delete).

        Args:
            job_id: of the job.
            if_match: as of `mark_pool`; None for whatever is there.

        Returns:
            True when its deletion is under way, False when there is none (any more).
        """
        return await self._delete(f"delete job {job_id}", ("jobs", job_id), if_match)

    async def _mark(
        self,
        operation: str,
        path: Sequence[str],
        metadata: Iterable[tuple[str, str]],
        if_match: str | None,
    ) -> None:
        body = encode({"metadata": [{"name": name, "value": value} for name, value in metadata]})
        await self._pipeline.call(operation, "PATCH", path, body=body, if_match=if_match)

    async def _delete(self, operation: str, path: Sequence[str], if_match: str | None) -> bool:
        tries = Tries()
        try:
            await self._pipeline.call(operation, "DELETE", path, tries=tries, if_match=if_match)
        except NotFoundError:
            return tries.in_doubt
        except ConflictError as refused:
            if refused.code not in _DELETING:
                raise
        return True
