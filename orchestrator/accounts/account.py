"""The account as the rest of the orchestrator sees it: opened, used from any task, closed."""

from __future__ import annotations

import importlib
import logging
import platform
import ssl
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import anyio
import anyio.to_thread
import structlog

from orchestrator.accounts import credentials
from orchestrator.accounts.batch import BatchAccount
from orchestrator.accounts.pipeline import BatchPipeline
from orchestrator.accounts.settings import AccountSettings, is_loopback, parse_connection_string
from orchestrator.accounts.shared_pools import SharedPools
from orchestrator.accounts.storage import StorageAccount
from orchestrator.errors import ConfigError, NotOpenError
from orchestrator.limits import Limits
from orchestrator.version import __version__

if TYPE_CHECKING:
    from aiohttp import ClientSession
    from azure.core.credentials_async import AsyncTokenCredential

_log = structlog.get_logger("orchestrator.accounts")
_SDK: Final = ("azure.batch.aio", "azure.storage.blob.aio", "azure.core.rest", "aiohttp")
_FILE_CHUNK: Final = 64 * 1024
"""What the SDK reads of a download at once; its own 4 KiB halve the rate (measured)."""


class Account:
    """One Batch account with its storage account.

    Nothing is held that belongs to a task: `open`, `close` and all between may happen in different ones.

    Args:
        settings: where it is and what opens it.
        limits: times, sizes and tries.

    Attributes:
        pools: which runs here need which.
    """

    def __init__(self, settings: AccountSettings, limits: Limits) -> None:
        self._settings = settings
        self._limits = limits
        self.pools = SharedPools()
        self._stack = AsyncExitStack()
        self._opening = anyio.Lock()
        self._batch: BatchAccount | None = None
        self._storage: StorageAccount | None = None

    @property
    def name(self) -> str:
        """Of the Batch account."""
        return self._settings.batch_account

    @property
    def endpoint(self) -> str:
        """The address of the Batch service."""
        return self._settings.batch_endpoint

    @property
    def batch(self) -> BatchAccount:
        """Pools, jobs, tasks and nodes.

        Raises:
            NotOpenError: the account is not open.
        """
        if self._batch is None:
            raise NotOpenError
        return self._batch

    @property
    def storage(self) -> StorageAccount:
        """Containers and blobs.

        Raises:
            NotOpenError: the account is not open.
        """
        if self._storage is None:
            raise NotOpenError
        return self._storage

    async def open(self) -> None:
        """Load the SDKs and make the clients. Nothing is sent: a wrong key shows at the first request.

        Raises:
            ConfigError: the settings don't fit together.
        """
        async with self._opening:
            if self._batch is not None:
                return
            # Loading takes the better part of a second, which the event loop has better uses for.
            await anyio.to_thread.run_sync(_load, _SDK)
            _quieten()
            async with AsyncExitStack() as stack:
                token = await self._token(stack)
                storage = await self._open_storage(stack, token)
                batch = await self._open_batch(stack, token)
                self._batch, self._storage = batch, storage
                self._stack = stack.pop_all()
        _log.debug("account.opened", account=self.name, endpoint=self._settings.batch_endpoint)

    async def close(self) -> None:
        """Close the connections. It may be opened again."""
        async with self._opening:
            self._batch = self._storage = None
            await self._stack.aclose()
        _log.debug("account.closed", account=self.name)

    async def _token(self, stack: AsyncExitStack) -> AsyncTokenCredential | None:
        if self._settings.batch_key is not None and self._settings.storage_connection_string is not None:
            return None
        await anyio.to_thread.run_sync(_load, ("azure.identity.aio",))
        return await stack.enter_async_context(credentials.token())

    async def _open_batch(self, stack: AsyncExitStack, token: AsyncTokenCredential | None) -> BatchAccount:
        from azure.batch.aio import BatchClient  # noqa: PLC0415 - loaded just now, in a thread

        endpoint, key = self._settings.batch_endpoint, self._settings.batch_key
        # The SDK takes a named key as well, which its annotations of the constructor leave out in part.
        credential: Any = token if key is None else credentials.named_key(self.name, key)
        client = BatchClient(
            endpoint, credential, connection_data_block_size=_FILE_CHUNK, **self._transport(endpoint)
        )
        await stack.enter_async_context(client)
        return BatchAccount(BatchPipeline(client, endpoint=endpoint, limits=self._limits))

    async def _open_storage(
        self, stack: AsyncExitStack, token: AsyncTokenCredential | None
    ) -> StorageAccount:
        from azure.storage.blob.aio import BlobServiceClient  # noqa: PLC0415 - loaded just now, in a thread

        secret, endpoint = self._settings.storage_connection_string, self._settings.storage_blob_endpoint
        credential: Any = token
        key = None
        if secret is not None:
            connection = parse_connection_string(secret.reveal())
            account, key, endpoint = connection.account, connection.key, connection.blob_endpoint
            credential = {"account_name": account, "account_key": key.reveal()}
        elif endpoint is not None:
            account = (urlsplit(endpoint).hostname or "").partition(".")[0]
        else:
            raise ConfigError("there is neither a connection string nor a blob endpoint", where="account")
        service = BlobServiceClient(
            endpoint,
            credential,
            **self._transport(endpoint),
        )
        await stack.enter_async_context(service)
        session = await stack.enter_async_context(await self._session(endpoint))
        return StorageAccount(service, session, account=account, key=key, limits=self._limits)

    async def _session(self, endpoint: str) -> ClientSession:
        """For requests without the SDK; it keeps to what `_transport` says."""
        import aiohttp  # noqa: PLC0415 - loaded just now, in a thread

        local, half = is_loopback(endpoint), self._limits.operation_timeout / 2
        trust: ssl.SSLContext | bool = True
        if local and self._settings.local_ca_file is not None:
            trust = await anyio.to_thread.run_sync(_trust, self._settings.local_ca_file)
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=trust),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=half, sock_read=half),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,  # a blob is what it is, whatever encoding its writer told
            headers={"Accept-Encoding": "identity", "User-Agent": f"orchestrator/{__version__}"},
            trust_env=not local,
        )

    def _transport(self, endpoint: str) -> dict[str, Any]:
        local = is_loopback(endpoint)
        return {
            # The retries are ours; see retry.py.
            "retry_total": 0,
            # Half of the whole, so that a connection that died without a word leaves time for another try.
            "read_timeout": self._limits.operation_timeout / 2,
            "connection_timeout": self._limits.operation_timeout / 2,
            # Proxies are for what is not on this machine; asking for them costs a thread hop a request.
            "use_env_settings": not local,
            # A local service's authority speaks for this machine, and for nothing else.
            "connection_verify": (local and self._settings.local_ca_file) or True,
        }


def _load(modules: tuple[str, ...]) -> None:
    # The SDK's user agent asks for it when a client is made; the first time that starts a process and waits.
    platform.platform()
    for module in modules:
        importlib.import_module(module)


def _trust(authority: str) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=authority)


def _quieten() -> None:
    # It logs a traceback for every refusal of a streamed request, whose body it can't know.
    logging.getLogger("azure.batch._utils.model_base").setLevel(logging.ERROR)
