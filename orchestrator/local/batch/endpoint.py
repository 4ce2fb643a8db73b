"""The Batch endpoint: an HTTP server in front of an account."""

from __future__ import annotations

import shutil
import socket
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Final

import anyio
import structlog
from aiohttp import web

from orchestrator.local.batch.account import SHORTEST_RECURRENCE, Account
from orchestrator.local.batch.allocation import StartNode
from orchestrator.local.batch.autoscaling import REAL_PACE, AutoscalePace
from orchestrator.local.batch.delays import NO_DELAYS, Delays, Pace
from orchestrator.local.batch.interference import NO_INTERFERENCE, Interference
from orchestrator.local.batch.persistence.journal import Journal
from orchestrator.local.batch.quotas import Quotas
from orchestrator.local.batch.recovery import folders_to_keep, recover
from orchestrator.local.batch.routes import OPERATIONS
from orchestrator.local.batch.versions import Casing, dialects
from orchestrator.local.wire.app import App
from orchestrator.local.wire.credentials import Credentials

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
        delays: to take where the real service takes its time; a `Pace` is kept and may be changed.
        interference: may step in, to make things fail.
        mount: adds paths of its own to the application, before it starts.
        autoscale_pace: of automatic scaling.
        shortest_recurrence: seconds, of job schedules.
        quotas: none by default.
        casing: of the words that recordings and the SDK write differently.
        state_file: where pools, jobs and tasks are kept and found again; None keeps them in memory only.
        tls: with the server's certificate, for https; None for http.

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
        delays: Delays | Pace = NO_DELAYS,
        interference: Interference = NO_INTERFERENCE,
        mount: Callable[[web.Application, Account], None] | None = None,
        autoscale_pace: AutoscalePace = REAL_PACE,
        shortest_recurrence: float = SHORTEST_RECURRENCE,
        quotas: Quotas | None = None,
        casing: Casing = Casing.LIVE,
        state_file: Path | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._account_name = account_name
        self._key = Credentials(account_name, account_key)
        self._nodes_dir = data_dir / "nodes"
        self._port = port
        self._start_node = start_node
        self._dialects = dialects(casing)
        self._autoscale_pace = autoscale_pace
        self._shortest_recurrence = shortest_recurrence
        self._quotas = quotas
        self._pace = delays if isinstance(delays, Pace) else Pace(delays)
        self._interference = interference
        self._mount = mount
        self._state_file = state_file
        self._tls = tls
        self._journal: Journal | None = None
        self._runner: web.AppRunner | None = None
        self._account: Account | None = None
        self.url = ""

    async def start(self) -> None:
        """Listen.

        Raises:
            OSError: when the port is taken.
            RuntimeError: when it listens already.
            StateFileError: when the state file is broken, not ours, or of a later version.
        """
        if self._account is not None:
            raise RuntimeError("the endpoint is started already")
        # Tasks are told the account's URL, so the port comes first and the account after it. A request that
        # comes before waits in the listener's queue.
        listener = socket.create_server((_LOOPBACK, self._port))
        scheme = "http" if self._tls is None else "https"
        self.url = f"{scheme}://{_LOOPBACK}:{listener.getsockname()[1]}"
        try:
            journal = loaded = None
            if self._state_file is not None:
                await anyio.Path(self._state_file.parent).mkdir(parents=True, exist_ok=True)
                journal = self._journal = Journal(self._state_file)
                loaded = await journal.open()
            known = frozenset[str]() if loaded is None else folders_to_keep(loaded)
            await anyio.to_thread.run_sync(_remove_strangers, self._nodes_dir, known)
            account = self._account = Account(
                name=self._account_name,
                url=self.url,
                nodes_dir=self._nodes_dir,
                start_node=self._start_node,
                pace=self._pace,
                interference=self._interference,
                changes=None if journal is None else journal.changes,
                autoscale_pace=self._autoscale_pace,
                shortest_recurrence=self._shortest_recurrence,
                quotas=self._quotas,
            )
            await account.start()
            if loaded is not None:
                recover(account, loaded)
            around = None if self._interference is NO_INTERFERENCE else self._interference.around
            app = App(account, OPERATIONS, self._key, around, dialects=self._dialects, keeper=journal)
            application = app.application()
            if self._mount is not None:
                self._mount(application, account)
            runner = self._runner = web.AppRunner(
                application,
                access_log=None,
                keepalive_timeout=_KEEPALIVE,
                shutdown_timeout=_SHUTDOWN_LIMIT,
            )
            await runner.setup()
            await web.SockSite(runner, listener, ssl_context=self._tls).start()
        except BaseException:
            listener.close()
            await self.close()
            raise
        log.info("batch.listening", url=self.url)

    async def close(self) -> None:
        """Stop listening, kill what runs, and wait until nothing is left."""
        runner, self._runner = self._runner, None
        account, self._account = self._account, None
        journal, self._journal = self._journal, None
        if runner is not None:
            await runner.cleanup()
        try:
            if account is not None:
                await account.close()
        finally:
            if journal is not None:
                await journal.close()


def _remove_strangers(nodes_dir: Path, known: frozenset[str]) -> None:
    """Remove what nodes left that no pool knows any more."""
    for folder in nodes_dir.iterdir() if nodes_dir.is_dir() else ():
        if folder.name not in known:
            shutil.rmtree(folder, ignore_errors=True)
