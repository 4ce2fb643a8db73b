"""The daemon inside of somebody else's aiohttp application."""

from __future__ import annotations

import os
from collections.abc import Mapping

from aiohttp import web

from orchestrator.daemon.api.application import make_application
from orchestrator.daemon.config import DaemonConfig
from orchestrator.daemon.service import DaemonService


def setup_orchestrator(
    app: web.Application,
    config: DaemonConfig,
    *,
    prefix: str = "/orchestrator",
    environ: Mapping[str, str] | None = None,
) -> DaemonService:
    """Mount the daemon's API below a prefix; the daemon opens and closes with the application.

    Signals, sockets and log lines stay the application's own business. At its shutdown no more runs are
    taken, those under way get `shutdown_grace` to end, and what is left stays in the journal: the next start
    goes on with it.

    Args:
        app: not yet started. Its own host name belongs into `config.listen.allowed_hosts`.
        config: from `load_config`, or made in code; `listen` counts for its allowed names only.
        prefix: `/orchestrator` serves `/orchestrator/v1/runs`.
        environ: where secrets and the account's settings are looked up; this process's by default.

    Returns:
        The daemon, open once the application has started.
    """
    service = DaemonService(config, environ=os.environ if environ is None else environ)

    async def opened(_: web.Application) -> None:
        await service.open()

    async def drained(_: web.Application) -> None:
        await service.drain()
        service.tell_drained()

    async def closed(_: web.Application) -> None:
        await service.close()

    app.add_subapp(prefix, make_application(service))
    app.on_startup.append(opened)
    app.on_shutdown.append(drained)
    app.on_cleanup.append(closed)
    return service
