"""Containers, as who decides how long they stay sees them: listed, marked, deleted if nobody changed them.

Facts that shape it (REST: List Containers, Set Container Metadata, Delete Container): metadata is replaced
whole, whatever the container's ETag; a deletion can be bound to the time of the last change, which has whole
seconds and moves with the metadata, not with the blobs. A lease keeps others from deleting, not from marking,
so it would guard nothing here.
"""

from __future__ import annotations

import functools
import random
from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING

from orchestrator.accounts.retry import Tries, persist
from orchestrator.errors import ConflictError, NotFoundError
from orchestrator.limits import Limits
from orchestrator.states import ContainerSnapshot

if TYPE_CHECKING:
    from azure.storage.blob.aio import BlobServiceClient


class Containers:
    """The containers of a storage account. Errors are those of `StorageAccount`.

    Args:
        service: the SDK's client, with its own retries switched off.
        limits: times and tries.
        rng: for the jitter of the pauses.
    """

    def __init__(self, service: BlobServiceClient, *, limits: Limits, rng: random.Random) -> None:
        self._service = service
        self._limits = limits
        self._rng = rng

    async def look(self, name: str) -> ContainerSnapshot:
        """Look at a container.

        Raises:
            NotFoundError: there is none (any more).
        """
        client = self._service.get_container_client(name)
        found = await persist(
            f"look at container {name}", client.get_container_properties, limits=self._limits, rng=self._rng
        )
        return _snapshot(name, found.metadata, found.last_modified)

    async def list(self) -> tuple[ContainerSnapshot, ...]:
        """Every container of the account."""

        async def pages() -> tuple[ContainerSnapshot, ...]:
            listed = self._service.list_containers(include_metadata=True)
            return tuple([_snapshot(one.name, one.metadata, one.last_modified) async for one in listed])

        return await persist("list containers", pages, limits=self._limits, rng=self._rng)

    async def mark(self, name: str, metadata: Iterable[tuple[str, str]]) -> None:
        """Replace the metadata of a container.

        Args:
            name: of the container.
            metadata: all of it.

        Raises:
            NotFoundError: there is none.
        """
        client = self._service.get_container_client(name)
        send = functools.partial(client.set_container_metadata, dict(metadata))
        await persist(f"mark container {name}", send, limits=self._limits, rng=self._rng)

    async def delete(self, name: str, *, unmodified_since: datetime | None = None) -> bool:
        """Delete a container with its blobs. Its name stays taken for a while.

        Args:
            name: of the container.
            unmodified_since: when the container that was looked at had been changed last; ServiceError 412
                if it was changed later. None for whatever is there.

        Returns:
            True when it is being deleted, False when there is none.
        """
        tries = Tries()
        client = self._service.get_container_client(name)
        send = functools.partial(client.delete_container, if_unmodified_since=unmodified_since)
        try:
            await persist(f"delete container {name}", send, limits=self._limits, rng=self._rng, tries=tries)
        except NotFoundError:
            return tries.in_doubt
        except ConflictError as refused:
            if refused.code != "ContainerBeingDeleted":
                raise
        return True


def _snapshot(name: str, metadata: dict[str, str] | None, modified: datetime | None) -> ContainerSnapshot:
    told = tuple((key.lower(), value) for key, value in (metadata or {}).items())
    return ContainerSnapshot(name=name, metadata=told, modified=modified)
