"""The application: the routes of the table, behind the guard, with every error in one form."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from http import HTTPStatus

import structlog
from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from orchestrator.daemon.api.guard import Pace, check_host, check_origin, check_token, client_of
from orchestrator.daemon.api.page import add_page
from orchestrator.daemon.api.problem import from_aiohttp, problem_response
from orchestrator.daemon.api.routing import SERVICE, Handler
from orchestrator.daemon.api.table import ROUTES
from orchestrator.daemon.refusals import wrong_request
from orchestrator.daemon.service import DaemonService
from orchestrator.daemon.tokens import Scope
from orchestrator.errors import DaemonError, OrchestratorError, error_text

log = structlog.get_logger()

_LONGEST_DETAIL = 300
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


def make_application(service: DaemonService) -> web.Application:
    """The API as an application, to be served, or mounted below another's.

    Args:
        service: open by the time the first request comes.
    """
    # What a handler reads is limited there; this is for what it does not read as a stream.
    app = web.Application(client_max_size=service.limits.body_bytes, middlewares=[_errors])
    app[SERVICE] = service
    pace = Pace()

    def guarded(
        handler: Handler, scope: Scope | None
    ) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        return _guarded(handler, scope, service, pace)

    for route in ROUTES:
        app.router.add_route(route.method, route.path, guarded(route.handler, route.scope), name=route.name)
    add_page(app, service, guarded)
    return app


def _guarded(
    handler: Handler, scope: Scope | None, service: DaemonService, pace: Pace
) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def handle(request: web.Request) -> web.StreamResponse:
        config, limits = service.config, service.limits
        check_host(request, config.listen)
        check_origin(request, config.listen)
        if scope is not None:  # probes must not fail because somebody else is busy
            pace.check(
                client_of(request),
                rate=limits.requests_per_second,
                burst=limits.request_burst,
                remembered=limits.clients_remembered,
            )
        check_token(request, service, scope)
        return await handler(request, service)

    return handle


@web.middleware
async def _errors(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    service = request.config_dict[SERVICE]
    try:
        response = await handler(request)
    except DaemonError as refusal:
        response = problem_response(refusal)
    except web.HTTPException as error:
        response = from_aiohttp(error)
    except (HttpProcessingError, web.RequestPayloadError) as error:
        # The parts of a form and packed bodies are read only when a handler asks for them.
        told = " ".join(str(error).split())[:_LONGEST_DETAIL]
        response = problem_response(wrong_request(f"it can't be read: {told}"))
    except asyncio.CancelledError:
        raise
    except ConnectionError:
        if request.transport is not None and not request.transport.is_closing():
            raise
        return web.Response()  # the client has gone: there is nobody to tell, and nothing to log
    except OrchestratorError as error:
        log.warning("api.failed", path=request.path, error=error_text(error))
        response = problem_response(DaemonError(error_text(error), status=HTTPStatus.BAD_GATEWAY))
    except Exception:
        # The border: a defect of one request is told to its client and the log, and harms nobody else.
        log.exception("api.defect", path=request.path)
        response = problem_response(
            DaemonError("a defect of the daemon; its log has more", status=HTTPStatus.INTERNAL_SERVER_ERROR)
        )
    # Anybody may send any word as a method, and each label stays in memory for good.
    method = request.method if request.method in _METHODS else "other"
    service.metrics.requests.labels(method, str(response.status)).inc()
    return response
