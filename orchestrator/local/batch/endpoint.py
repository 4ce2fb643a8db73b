"""The Batch endpoint: an HTTP server in front of an account."""

from __future__ import annotations

import shutil
import socket
from functools import partial
from pathlib import Path
from typing import Final

import anyio
import structlog
from aiohttp import web

from orchestrator.local.batch.account import Account
from orchestrator.local.batch.allocation import StartNode
from orchestrator.local.batch.delays import NO_DELAYS, Delays
from orchestrator.local.batch.routes import OPERATIONS
from orchestrator.local.wire.app import App
from orchestrator.local.wire.auth import SharedKey

log = structlog.get_logger("orchestrator.local.batch")

_LOOPBACK: Final = "127.0.0.1"
_SHUTDOWN_LIMIT: Final = 5.0
_KEEPALIVE: Final = 3630.0
"""Longer than any client's: one that sends on a connection just closed here would not try again."""


class BatchEndpoint:
    """Serves one account on loopback. Start and close may come from different tasks.

    Args:
        account_name: as clients know it.
        account_key: base64, as clients know it.
        data_dir: nodes' files go below it.
        port: to listen on; 0 lets the system pick one.
        start_node: starts a node's process with the root that it is given.
        delays: to take where the real service takes its time.

    Raises:
        ValueError: when the key is not base64.
    """

    def __init__(
        self,
        *,
        account_name: str,
        account_key: str,
        data_dir: Path,
        port: int = 0,
        start_node: StartNode,
        delays: Delays = NO_DELAYS,
    ) -> None:
        self._account_name = account_name
        self._key = SharedKey(account_name, account_key)
        self._nodes_dir = data_dir / "nodes"
        self._port = port
        self._start_node = start_node
        self._delays = delays
        self._runner: web.AppRunner | None = None
        self._account: Account | None = None
        self.url = ""

    async def start(self) -> None:
        """Listen.

        Raises:
            OSError: when the port is taken.
            RuntimeError: when it listens already.
        """
        if self._account is not None:
            raise RuntimeError("the endpoint is started already")
        # Tasks are told the account's URL, so the port comes first and the account after it. A request that
        # comes before waits in the listener's queue.
        listener = socket.create_server((_LOOPBACK, self._port))
        self.url = f"http://{_LOOPBACK}:{listener.getsockname()[1]}"
        try:
            # No pool of an earlier run is known any more, so whatever its nodes left is nobody's.
            await anyio.to_thread.run_sync(partial(shutil.rmtree, self._nodes_dir, ignore_errors=True))
            account = self._account = Account(
                name=self._account_name,
                url=self.url,
                nodes_dir=self._nodes_dir,
                start_node=self._start_node,
                delays=self._delays,
            )
            await account.start()
            runner = self._runner = web.AppRunner(
                App(account, OPERATIONS, self._key).application(),
                access_log=None,
                keepalive_timeout=_KEEPALIVE,
                shutdown_timeout=_SHUTDOWN_LIMIT,
            )
            await runner.setup()
            await web.SockSite(runner, listener).start()
        except BaseException:
            listener.close()
            await self.close()
            raise
        log.info("batch.listening", url=self.url)

    async def close(self) -> None:
        """Stop listening, kill what runs, and wait until nothing is left."""
        runner, self._runner = self._runner, None
        account, self._account = self._account, None
        if runner is not None:
            await runner.cleanup()
        if account is not None:
            await account.close()
