"""The storage account: containers, blobs, and addresses that open them.

Facts that shape it (recorded): a conflict means "already there" only when its code says so, since a full
Azurite answers every write with one; a container that is being deleted keeps its name for half a minute or
more.
"""

from __future__ import annotations

import functools
import random
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar
from urllib.parse import quote, unquote, urlsplit

import anyio

from orchestrator.accounts.budget import TransferBudget
from orchestrator.accounts.direct import DirectBlobs
from orchestrator.accounts.download import BlobDownload
from orchestrator.accounts.retry import Tries, persist
from orchestrator.accounts.signing import SasSigner
from orchestrator.accounts.upload import BlobUpload
from orchestrator.errors import ConflictError, NotFoundError
from orchestrator.limits import Limits
from orchestrator.spec.secret import SecretText
from orchestrator.states import BlobSnapshot

if TYPE_CHECKING:
    from aiohttp import ClientSession
    from azure.storage.blob.aio import BlobServiceClient

T = TypeVar("T")

_LISTED_AT_ONCE: Final = 250
"""Blobs of a page, which is read in one go: some milliseconds of the event loop."""


class StorageAccount:
    """What the storage account can be asked for. Usable from any task while its account is open.

    Every method raises ServiceError (see `accounts/failures.py` for the subclass) when the service refuses,
    and UnreachableError when no answer came within `Limits.operation_timeout`, retries included.

    Args:
        service: the SDK's client, with its own retries switched off.
        session: for the requests that are made without the SDK.
        account: the name of the account.
        key: its key; None where a token opened it.
        limits: times, sizes and tries.
        rng: for the jitter of the pauses.
    """

    def __init__(
        self,
        service: BlobServiceClient,
        session: ClientSession,
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
        root = f"{self._base.scheme}://{self._base.netloc}{self._base.path.rstrip('/')}"
        self._root = root
        self._direct = DirectBlobs(session, address=root, signer=self._signer)
        self._budget = TransferBudget(limits.transfer_bytes)

    @property
    def memory_free(self) -> int:
        """How much of `Limits.transfer_bytes` no transfer holds, in bytes."""
        return self._budget.free

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
                # A request that is cancelled may still be carried out, after clean-up has found nothing: its
                # outcome must be known first. Only the request is shielded, the waiting below is not.
                with anyio.CancelScope(shield=True):
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

    async def container_metadata(self, name: str) -> dict[str, str]:
        """What a container says of itself, its names in lower case, as headers have no case.

        Raises:
            NotFoundError: there is none (any more).
        """
        client = self._service.get_container_client(name)
        found = await self._persist(f"look at container {name}", client.get_container_properties)
        return {key.lower(): value for key, value in (found.metadata or {}).items()}

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
        try:
            return await self._persist(
                f"look at blob {container}/{name}", lambda: self._direct.look(container, name)
            )
        except NotFoundError:
            return None

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
        marker: str | None = ""
        while marker is not None:
            page = functools.partial(
                self._direct.page, container, prefix=prefix, marker=marker, most=_LISTED_AT_ONCE
            )
            listed, following = await self._persist(f"list blobs of {container}", page)
            marker = following or None
            for snapshot in listed:
                yield snapshot

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
        download = BlobDownload(
            self._direct,
            container,
            name,
            persist=functools.partial(self._persist, f"read blob {container}/{name}"),
            block_size=self._limits.block_size,
            budget=self._budget,
        )
        async with aclosing(download.pieces()) as pieces:  # a reader that leaves early gives its memory back
            async for piece in pieces:
                yield piece

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
        return f"{self._root}/{container}"

    def _upload(self, container: str, blob: str) -> BlobUpload:
        return BlobUpload(
            self._direct,
            self._service,
            container,
            blob,
            persist=functools.partial(self._persist, f"upload blob {container}/{blob}"),
            block_size=self._limits.block_size,
            budget=self._budget,
        )

    async def _persist(
        self, operation: str, send: Callable[[], Awaitable[T]], tries: Tries | None = None
    ) -> T:
        return await persist(operation, send, limits=self._limits, rng=self._rng, tries=tries)
