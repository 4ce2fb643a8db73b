"""The storage account: containers, blobs, and addresses that open them.

Facts that shape it (recorded): a conflict means "already there" only when its code says so, since a full
Azurite answers every write with one; a container that is being deleted keeps its name for half a minute or
more.
"""

from __future__ import annotations

import functools
import random
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar
from urllib.parse import quote, unquote, urlsplit

import anyio

from orchestrator.accounts.access import Access, AccessPolicies, Grant
from orchestrator.accounts.budget import TransferBudget
from orchestrator.accounts.containers import Containers
from orchestrator.accounts.direct import DirectBlobs
from orchestrator.accounts.download import BlobDownload
from orchestrator.accounts.retry import Tries, persist
from orchestrator.accounts.settings import is_loopback
from orchestrator.accounts.signing import SasSigner
from orchestrator.accounts.upload import BlobUpload, FileVersion
from orchestrator.errors import ConflictError, NotFoundError, ServiceError
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

    Attributes:
        containers: what says how long containers stay.
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
        self.containers = Containers(service, limits=limits, rng=self._rng)
        self._signer = SasSigner(service, account=account, key=key, limits=limits, rng=self._rng)
        self._base = urlsplit(service.url)
        self._near = is_loopback(service.url)
        root = f"{self._base.scheme}://{self._base.netloc}{self._base.path.rstrip('/')}"
        self._root = root
        self._direct = DirectBlobs(session, address=root, signer=self._signer)
        self._policies = AccessPolicies(service, session, limits=limits)
        self._budget = TransferBudget(limits.transfer_bytes)

    @property
    def memory_free(self) -> int:
        """How much of `Limits.transfer_bytes` no transfer holds, in bytes."""
        return self._budget.free

    @property
    def longest_address(self) -> timedelta | None:
        """How long an address can work at most: with a token a week, with a key as long as it is kept open.

        None where there is no such limit, since the container's policy can be extended.
        """
        return self._signer.longest

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
                    created = await self._persist(f"create container {name}", create, tries)
            except ConflictError as refused:
                if refused.code == "ContainerAlreadyExists":
                    return tries.in_doubt  # by an earlier try of this very request, then
                if refused.code != "ContainerBeingDeleted" or anyio.current_time() >= deadline:
                    raise
                await anyio.sleep(self._limits.deletion_poll_interval)
            else:
                told = created.get("date")
                if isinstance(told, datetime):
                    self._policies.clock.compare(told, datetime.now(UTC))
                return True

    async def delete_container(self, name: str) -> bool:
        """Delete a container with its blobs. Its name stays taken for a while.

        Returns:
            True when it is being deleted, False when there is none.
        """
        return await self.containers.delete(name)

    async def upload_file(
        self, container: str, blob: str, path: Path, *, md5: bytes | None, version: FileVersion | None = None
    ) -> bytes:
        """Write a blob from a file, over one of that name; the blob keeps the MD5.

        Args:
            container: of the blob.
            blob: its name.
            path: of the file.
            md5: of the file's content, against a change since, where it is known.
            version: of the file, against a change since and meanwhile.

        Returns:
            The MD5.

        Raises:
            StagingError: it can't be read, or is no longer what it was.
        """
        return await self._upload(container, blob).file(path, md5=md5, version=version)

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

    def download(self, container: str, name: str) -> BlobDownload:
        """A blob on its way here, in pieces of about `Limits.block_size`, each with retries of its own.

        Args:
            container: of the blob.
            name: its name.
        """
        return BlobDownload(
            self._direct,
            container,
            name,
            persist=functools.partial(self._persist, f"read blob {container}/{name}"),
            block_size=self._limits.block_size,
            budget=self._budget,
            near=self._near,
        )

    async def keep_open(
        self, container: str, access: Access, *, lifetime: float, least: float
    ) -> Grant | None:
        """Make sure that the signed addresses of a container work for a while, also those made earlier.

        Args:
            container: its name.
            access: what its addresses are for.
            lifetime: how long they are to work from now on, in seconds, where something has to be done.
            least: with how much of that left nothing has to be done.

        Returns:
            Until when they work; None where each address has an end of its own, which can't be moved.

        Raises:
            NotFoundError: there is no such container.
        """
        if self._signer.longest is not None:
            return None
        for left in range(self._limits.attempts - 1, -1, -1):
            extend = functools.partial(
                self._policies.extend, container, access, lifetime=lifetime, least=least
            )
            try:
                return await self._persist(f"set access of container {container}", extend)
            except ServiceError as refused:
                # Somebody else set it since it was looked at: now it may be as it should be.
                if refused.status != HTTPStatus.PRECONDITION_FAILED or not left:
                    raise
        return None

    async def wait_until_open(self, container: str, access: Access) -> None:
        """Wait until a container's signed addresses work: a new policy counts after half a minute at worst.

        Args:
            container: its name.
            access: what its addresses are for.

        Raises:
            ServiceError: they are still refused after `Limits.access_start_timeout`.
        """
        if self._signer.longest is not None:
            return None
        address = SecretText(f"{self._address(container)}?{self._signer.policy(container, access).reveal()}")
        deadline = anyio.current_time() + self._limits.access_start_timeout
        while True:
            attempt = functools.partial(self._policies.attempt, address, access)
            try:
                return await self._persist(f"try an address of container {container}", attempt)
            except ServiceError as refused:
                if refused.status != HTTPStatus.FORBIDDEN or anyio.current_time() >= deadline:
                    raise
            await anyio.sleep(self._limits.backoff)

    async def read_url(self, container: str, blob: str, *, until: datetime) -> SecretText:
        """An address that opens one blob for reading.

        Args:
            container: of the blob, which is kept open for reading (`keep_open`).
            blob: its name.
            until: an aware time; it counts where the address has an end of its own.

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
            container: its name; it is kept open for writing (`keep_open`).
            until: an aware time; it counts where the address has an end of its own.

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
