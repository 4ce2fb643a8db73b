"""The Blob endpoint of the local service: Azurite, started, watched and ended.

Data is kept on disk: in memory Azurite frees overwritten data only after minutes, and past its limit
answers writes with a conflict that careless clients take for "already there".
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Sequence
from pathlib import Path

import structlog

from orchestrator.local.blob.azurite_process import AzuriteProcess, BlobEndpointError
from orchestrator.local.blob.install import Azurite, ensure_azurite
from orchestrator.local.tls.certificates import Certificates

_log = structlog.get_logger("orchestrator.local")

_START_LIMIT = 60.0
_MOST_DEATHS = 5
_DEATHS_WITHIN = 60.0
_FIRST_PAUSE = 0.1


class BlobEndpoint:
    """A blob server on loopback that is restarted, on the same port, when it dies.

    Azurite writes its index every 5 s: what was stored in the last seconds before it was killed is gone, so a
    restart is an error in the log. After five deaths within a minute it stays down and `failed` is set.

    `start` and `close` may be called from different asyncio tasks; what watches is a task of its own.

    Args:
        account_name: of the storage account.
        account_key: base64.
        data_dir: made if it is not there; blobs survive in it.
        port: 0 for one that the system picks.
        pass_fds: descriptors that the server keeps open while it lives.
        tls: for https; None for http.
        oauth: let in whoever brings a bearer token: Azurite checks no signature. Needs `tls`.
    """

    def __init__(
        self,
        *,
        account_name: str,
        account_key: str,
        data_dir: Path,
        port: int = 0,
        pass_fds: Sequence[int] = (),
        tls: Certificates | None = None,
        oauth: bool = False,
    ) -> None:
        self._account_name = account_name
        self._account_key = account_key
        self._data_dir = data_dir
        self._port = port
        self._pass_fds = tuple(pass_fds)
        self._tls = tls
        self._oauth = oauth
        self._process: AzuriteProcess | None = None
        self._watch: asyncio.Task[None] | None = None
        self._deaths: deque[float] = deque(maxlen=_MOST_DEATHS)
        self.failed = asyncio.Event()

    @property
    def port(self) -> int:
        """The port that it listens on, once it is started."""
        return self._port

    @property
    def pid(self) -> int | None:
        """The process id of the server that runs now."""
        return None if self._process is None else self._process.pid

    @property
    def url(self) -> str:
        """The account's address, once it is started."""
        return f"{self._scheme}://127.0.0.1:{self._port}/{self._account_name}"

    @property
    def connection_string(self) -> str:
        """What storage clients take; it holds the account's key."""
        return (
            f"DefaultEndpointsProtocol={self._scheme};AccountName={self._account_name};"
            f"AccountKey={self._account_key};BlobEndpoint={self.url};"
        )

    @property
    def _scheme(self) -> str:
        return "http" if self._tls is None else "https"

    async def start(self) -> None:
        """Install Azurite if need be, start it and wait until it answers.

        Raises:
            NodeMissingError: if there is no Node.js.
            AzuriteInstallError: if npm fails.
            BlobEndpointError: if it does not start.
            OSError: if its folder can't be made.
        """
        azurite = await asyncio.to_thread(ensure_azurite)
        await asyncio.to_thread(self._data_dir.mkdir, parents=True, exist_ok=True, mode=0o700)
        self._process = await self._run(azurite)
        self._port = self._process.port
        self._watch = asyncio.create_task(self._keep(azurite), name="blob endpoint")
        _log.info("blob.endpoint.started", url=self.url, pid=self._process.pid)

    async def close(self) -> None:
        """End the server; it writes its data first. May be called again."""
        watch, self._watch = self._watch, None
        if watch is not None:
            watch.cancel()
            await asyncio.wait({watch})  # unlike awaiting it, this tells its cancellation from our own
        process, self._process = self._process, None
        if process is not None:
            await process.stop()
            _log.info("blob.endpoint.stopped", url=self.url)

    async def _run(self, azurite: Azurite) -> AzuriteProcess:
        return await AzuriteProcess.start(
            azurite,
            account=(self._account_name, self._account_key),
            data_dir=self._data_dir,
            port=self._port,
            limit=_START_LIMIT,
            pass_fds=self._pass_fds,
            tls=self._tls,
            oauth=self._oauth,
        )

    async def _keep(self, azurite: Azurite) -> None:
        while self._process is not None:
            code = await self._process.ended()
            self._process = None
            _log.error("blob.endpoint.died", url=self.url, exit_code=code)
            while self._process is None:
                now = time.monotonic()
                self._deaths.append(now)
                if len(self._deaths) == _MOST_DEATHS and now - self._deaths[0] < _DEATHS_WITHIN:
                    _log.error("blob.endpoint.failed", url=self.url, deaths=_MOST_DEATHS)
                    self.failed.set()
                    return
                await asyncio.sleep(_FIRST_PAUSE * 2 ** (len(self._deaths) - 1))
                try:
                    self._process = await self._run(azurite)
                except (BlobEndpointError, OSError) as error:
                    _log.error("blob.endpoint.not_restarted", url=self.url, reason=str(error))
                else:
                    _log.warning("blob.endpoint.restarted", url=self.url, pid=self._process.pid)
