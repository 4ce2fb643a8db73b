"""What clean-up needs of an account and of the journal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from orchestrator.states import JobSnapshot, PoolSnapshot


class BatchLike(Protocol):
    """The part of `accounts.batch.BatchAccount` that clean-up uses."""

    async def get_job(self, job_id: str) -> JobSnapshot:
        """Look at a job; NotFoundError if there is none."""

    async def terminate_job(self, job_id: str, reason: str) -> bool:
        """End a job; False if it had ended already."""

    async def delete_job(self, job_id: str) -> bool:
        """Begin to delete a job; False if there is none."""

    async def wait_job_gone(self, job_id: str) -> bool:
        """Wait until a job is gone; False if it takes too long."""

    async def list_jobs(self) -> Sequence[JobSnapshot]:
        """Every job of the account."""

    async def get_pool(self, pool_id: str) -> PoolSnapshot:
        """Look at a pool; NotFoundError if there is none."""

    async def delete_pool(self, pool_id: str) -> bool:
        """Begin to delete a pool; False if there is none."""

    async def wait_pool_gone(self, pool_id: str) -> bool:
        """Wait until a pool is gone; False if it takes too long."""

    async def list_pools(self) -> Sequence[PoolSnapshot]:
        """Every pool of the account."""


class StorageLike(Protocol):
    """The part of `accounts.storage.StorageAccount` that clean-up uses."""

    async def container_metadata(self, container: str, /) -> Mapping[str, str]:
        """What a container says of itself; NotFoundError if there is none."""

    async def delete_container(self, container: str, /) -> object:
        """Delete a container with all it holds."""


class CleanupLedger(Protocol):
    """The journal's record of what this run has created."""

    async def owed(self) -> Sequence[tuple[str, str]]:
        """What may exist: (kind, id), with the kinds job, pool, container and application."""

    async def settle(self, kind: str, resource_id: str) -> None:
        """Strike it out: it is gone, or is to stay."""
