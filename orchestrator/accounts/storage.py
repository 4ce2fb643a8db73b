"""The storage account: containers, blobs, and addresses that open them.

Facts that shape it (recorded): a conflict means "already there" only when its code says so, since a full
Azurite answers every write with one; a container that is being deleted keeps its name for half a minute or
more.
"""

from __future__ import annotations

import functools
import random
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from datetime import datetime
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar
from urllib.parse import quote, unquote, urlsplit

import anyio

from orchestrator.accounts.retry import Tries, persist
from orchestrator.accounts.signing import SasSigner
from orchestrator.accounts.upload import BlobUpload
from orchestrator.errors import ConflictError, NotFoundError, ServiceError
from orchestrator.limits import Limits
from orchestrator.spec.secret import SecretText
from orchestrator.states import BlobSnapshot

if TYPE_CHECKING:
    from azure.storage.blob import BlobProperties
    from azure.storage.blob.aio import BlobClient, BlobServiceClient

T = TypeVar("T")

_LISTED_AT_ONCE: Final = 40
"""Blobs of a page: the SDK takes a third of a millisecond for each, and reads a page in one go."""


class StorageAccount:
    """What the storage account can be asked for. Usable from any task while its account is open.

    Every method raises ServiceError (see `accounts/failures.py` for the subclass) when the service refuses,
    and UnreachableError when no answer came within `Limits.operation_timeout`, retries included.

    Args:
        service: the SDK's client, with its own retries switched off.
        account: the name of the account.
        key: its key; None where a token opened it.
        limits: times, sizes and tries.
        rng: for the jitter of the pauses.
    """

    def __init__(
        self,
        service: BlobServiceClient,
        *,
        account: str,
        key: SecretText | None,
        limits: Limits,
        rng: random.Random | None = None,
    ) -> None:
        self._service = service
        self._limits = limits
        self._rng = rng or random.Random()  # noqa: S311 - jitter, no secret
        self._signer = SasSigner(service, account=account, key=key, limits=limits, rng=self._rng)
        self._base = urlsplit(service.url)

    async def create_container(self, name: str, *, metadata: Mapping[str, str] | None = None) -> bool:
        """Create a private container; one of that name that is still being deleted is waited for.

        Args:
            name: lower case letters, digits and dashes.
            metadata: ours, for finding it again.

        Returns:
            True when it was created, False when it is there already.

        Raises:
            ConflictError: anything else in its way, such as `ContainerBeingDeleted` for longer than
                `Limits.deletion_timeout`.
        """
        deadline = anyio.current_time() + self._limits.deletion_timeout
        while True:
            tries = Tries()
            client = self._service.get_container_client(name)
            create = functools.partial(client.create_container, metadata=dict(metadata or {}))
            try:
                await self._persist(f"create container {name}", create, tries)
            except ConflictError as refused:
                if refused.code == "ContainerAlreadyExists":
                    return tries.in_doubt  # by an earlier try of this very request, then
                if refused.code != "ContainerBeingDeleted" or anyio.current_time() >= deadline:
                    raise
                await anyio.sleep(self._limits.deletion_poll_interval)
            else:
                return True

    async def delete_container(self, name: str) -> bool:
        """Delete a container with its blobs. Its name stays taken for a while.

        Returns:
            True when it is being deleted, False when there is none.
        """
        tries = Tries()
        client = self._service.get_container_client(name)
        try:
            await self._persist(f"delete container {name}", client.delete_container, tries)
        except NotFoundError:
            return tries.in_doubt
        except ConflictError as refused:
            if refused.code != "ContainerBeingDeleted":
                raise
        return True

    async def container_exists(self, name: str) -> bool:
        """Whether there is a container of that name."""
        client = self._service.get_container_client(name)
        try:
            await self._persist(f"look at container {name}", client.get_container_properties)
        except NotFoundError:
            return False
        return True

    async def upload_file(self, container: str, blob: str, path: Path, *, md5: bytes) -> None:
        """Write a blob from a file, over one of that name; the blob keeps the MD5.

        Args:
            container: of the blob.
            blob: its name.
            path: of the file.
            md5: of the file's content, against a change since.

        Raises:
            StagingError: it can't be read, or is no longer what was hashed.
        """
        await self._upload(container, blob).file(path, md5=md5)

    async def upload_bytes(self, container: str, blob: str, data: bytes, *, md5: bytes | None = None) -> None:
        """Write a blob from memory, over one of that name; the blob gets an MD5.

        Args:
            container: of the blob.
            blob: its name.
            data: its content.
            md5: of the content, where it is known.
        """
        await self._upload(container, blob).memory(data, md5=md5)

    async def blob(self, container: str, name: str) -> BlobSnapshot | None:
        """Look at a blob.

        Returns:
            The snapshot, or None when there is no such blob or container.
        """
        client = self._service.get_blob_client(container, name)
        try:
            properties = await self._persist(f"look at blob {container}/{name}", client.get_blob_properties)
        except NotFoundError:
            return None
        return _snapshot(properties)

    async def list_blobs(self, container: str, prefix: str = "") -> AsyncGenerator[BlobSnapshot, None]:
        """The blobs of a container in the order of their names.

        Args:
            container: its name.
            prefix: of the names that are wanted.

        Yields:
            Snapshots.

        Raises:
            NotFoundError: there is no such container.
        """
        client = self._service.get_container_client(container)
        token: str | None = None
        while True:

            async def page(after: str | None = token) -> tuple[list[BlobSnapshot], str | None]:
                pages: Any = client.list_blobs(
                    name_starts_with=prefix or None, results_per_page=_LISTED_AT_ONCE
                ).by_page(after)
                found = [_snapshot(item) async for item in await anext(pages)]
                return found, pages.continuation_token

            listed, token = await self._persist(f"list blobs of {container}", page)
            for snapshot in listed:
                yield snapshot
            if not token:
                return

    async def read_blob(self, container: str, name: str) -> AsyncGenerator[bytes, None]:
        """Read a blob in pieces of `Limits.block_size` at most, each with retries of its own.

        Args:
            container: of the blob.
            name: its name.

        Yields:
            Pieces of one and the same version of the blob.

        Raises:
            NotFoundError: there is no such blob.
            ServiceError: also when it was overwritten meanwhile (`ConditionNotMet`).
        """
        client = self._service.get_blob_client(container, name)
        operation = f"read blob {container}/{name}"
        try:
            piece, size, etag = await self._persist(operation, lambda: self._first_piece(client))
        except ServiceError as refused:
            if refused.status != HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
                raise
            return  # an empty blob has no first piece
        yield piece
        offset = len(piece)
        while offset < size:
            piece = await self._persist(operation, functools.partial(self._piece, client, offset, etag))
            yield piece
            offset += len(piece)

    async def read_url(self, container: str, blob: str, *, until: datetime) -> SecretText:
        """An address that opens one blob for reading.

        Args:
            container: of the blob.
            blob: its name.
            until: an aware time.

        Returns:
            The whole address.

        Raises:
            ConfigError: a signature can't last that long.
        """
        query = await self._signer.read_blob(container, blob, until=until)
        return SecretText(f"{self._address(container)}/{quote(blob, safe='~/')}?{query.reveal()}")

    async def write_url(self, container: str, *, until: datetime) -> SecretText:
        """An address that opens one container for new blobs, not for reading.

        Args:
            container: its name.
            until: an aware time.

        Returns:
            The whole address.

        Raises:
            ConfigError: a signature can't last that long.
        """
        query = await self._signer.write_container(container, until=until)
        return SecretText(f"{self._address(container)}?{query.reveal()}")

    def owns_url(self, url: str) -> tuple[str, str] | None:
        """Recognise the address of a blob of this account, signed or not.

        Args:
            url: any address.

        Returns:
            Container and name of the blob, or None when it is not one of ours.
        """
        try:
            parts = urlsplit(url)
            same_host = (parts.hostname, parts.port) == (self._base.hostname, self._base.port)
        except ValueError:
            return None
        root = self._base.path.rstrip("/") + "/"
        if parts.scheme != self._base.scheme or not same_host or not parts.path.startswith(root):
            return None
        container, slash, blob = parts.path.removeprefix(root).partition("/")
        return (unquote(container), unquote(blob)) if container and slash and blob else None

    def _address(self, container: str) -> str:
        # Not from a client of the SDK, the making of which costs more than signing does.
        return f"{self._base.scheme}://{self._base.netloc}{self._base.path.rstrip('/')}/{container}"

    def _upload(self, container: str, blob: str) -> BlobUpload:
        return BlobUpload(
            self._service.get_blob_client(container, blob),
            persist=lambda send: self._persist(f"upload blob {container}/{blob}", send),
            block_size=self._limits.block_size,
        )

    async def _first_piece(self, client: BlobClient) -> tuple[bytes, int, str]:
        stream = await client.download_blob(offset=0, length=self._limits.block_size, max_concurrency=1)
        piece = await stream.readall()
        total = stream.properties.content_range
        return piece, int(total.rpartition("/")[2]) if total else len(piece), stream.properties.etag

    async def _piece(self, client: BlobClient, offset: int, etag: str) -> bytes:
        from azure.core import MatchConditions  # noqa: PLC0415 - loaded when opened

        stream = await client.download_blob(
            offset=offset,
            length=self._limits.block_size,
            max_concurrency=1,
            etag=etag,
            match_condition=MatchConditions.IfNotModified,
        )
        return await stream.readall()

    async def _persist(
        self, operation: str, send: Callable[[], Awaitable[T]], tries: Tries | None = None
    ) -> T:
        return await persist(operation, send, limits=self._limits, rng=self._rng, tries=tries)


def _snapshot(properties: BlobProperties) -> BlobSnapshot:
    md5: Any = properties.content_settings.content_md5
    return BlobSnapshot(name=properties.name, size=properties.size, md5=bytes(md5) if md5 else None)
