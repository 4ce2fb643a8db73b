"""Is the daemon alive, is it ready, how does it do: for supervisors and monitoring systems."""

from __future__ import annotations

from aiohttp import web

from orchestrator.daemon.api.views import Health, json_response
from orchestrator.daemon.service import DaemonService


async def alive(_request: web.Request, service: DaemonService) -> web.Response:
    """Whether the loop turns."""
    if service.heartbeat.alive:
        return json_response(Health(ok=True))
    return json_response(Health(ok=False, reason="the loop does not turn"), status=503)


async def ready(_request: web.Request, service: DaemonService) -> web.Response:
    """Whether runs are taken and the account answers."""
    if not service.desk.taking:
        return json_response(Health(ok=False, reason="shutting down"), status=503)
    if service.account.problem is not None:
        # Not told in full: this answer asks for no token.
        return json_response(Health(ok=False, reason="the account does not answer"), status=503)
    return json_response(Health(ok=True))


async def metrics(_request: web.Request, service: DaemonService) -> web.Response:
    """Figures for Prometheus."""
    return web.Response(
        body=service.metrics.exposition(), headers={"Content-Type": service.metrics.content_type}
    )
