"""What clean-up needs of an account and of the journal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Protocol

from orchestrator.states import ContainerSnapshot, JobSnapshot, PoolSnapshot


class LifetimesLike(Protocol):
    """The part of `accounts.lifetimes.BatchLifetimes` that clean-up uses."""

    async def delete_job(self, job_id: str, *, if_match: str | None = None) -> bool:
        """Begin to delete the job that was seen; False if there is none."""

    async def delete_pool(self, pool_id: str, *, if_match: str | None = None) -> bool:
        """Begin to delete the pool that was seen; False if there is none."""

    async def mark_job(
        self, job_id: str, metadata: Iterable[tuple[str, str]], *, if_match: str | None
    ) -> None:
        """Replace the metadata of the job that was seen."""

    async def mark_pool(
        self, pool_id: str, metadata: Iterable[tuple[str, str]], *, if_match: str | None
    ) -> None:
        """Replace the metadata of the pool that was seen."""

    async def disable_autoscale(self, pool_id: str) -> None:
        """Leave a pool at its size."""


class BatchLike(Protocol):
    """The part of `accounts.batch.BatchAccount` that clean-up uses."""

    @property
    def lifetimes(self) -> LifetimesLike:
        """Deletes and marks."""

    async def get_job(self, job_id: str) -> JobSnapshot:
        """Look at a job; NotFoundError if there is none."""

    async def terminate_job(self, job_id: str, reason: str) -> bool:
        """End a job; False if it had ended already."""

    async def wait_job_gone(self, job_id: str) -> bool:
        """Wait until a job is gone; False if it takes too long."""

    async def list_jobs(self) -> Sequence[JobSnapshot]:
        """Every job of the account."""

    async def get_pool(self, pool_id: str) -> PoolSnapshot:
        """Look at a pool; NotFoundError if there is none."""

    async def wait_pool_gone(self, pool_id: str) -> bool:
        """Wait until a pool is gone; False if it takes too long."""

    async def list_pools(self) -> Sequence[PoolSnapshot]:
        """Every pool of the account."""


class ContainersLike(Protocol):
    """The part of `accounts.containers.Containers` that clean-up uses."""

    async def look(self, name: str, /) -> ContainerSnapshot:
        """Look at a container; NotFoundError if there is none."""

    async def mark(self, name: str, metadata: Iterable[tuple[str, str]], /) -> None:
        """Replace the metadata of a container."""

    async def delete(self, name: str, /, *, unmodified_since: datetime | None = None) -> bool:
        """Delete the container that was seen with all it holds; False if there is none."""


class StorageLike(Protocol):
    """The part of `accounts.storage.StorageAccount` that clean-up uses."""

    @property
    def containers(self) -> ContainersLike:
        """Looks at, marks and deletes containers."""


class CleanupLedger(Protocol):
    """The journal's record of what this run has created."""

    async def owed(self) -> Sequence[tuple[str, str]]:
        """What may exist: (kind, id), with the kinds job, pool, container and application."""

    async def settle(self, kind: str, resource_id: str) -> None:
        """Strike it out: it is gone, or is to stay."""

    async def hand_over(self, kind: str, resource_id: str, heir: str) -> None:
        """Write down that another run owes it too."""
