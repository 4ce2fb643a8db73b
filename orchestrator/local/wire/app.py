"""The HTTP application around an endpoint's operations.

A request passes, in this order: is it from this machine's programs (Host and Origin), is it signed, does it
name an api-version, an operation and parameters that exist. Only then a handler sees it. Whatever happens
is answered with the headers that the real service puts on every answer (recorded).
"""

from __future__ import annotations

import re
import socket
import struct
import uuid
from collections.abc import Awaitable, Callable, Iterable, Mapping
from functools import partial
from http import HTTPStatus
from typing import Final, Generic, TypeVar

import structlog
from aiohttp import web

from orchestrator.local.wire import times
from orchestrator.local.wire.api_error import (
    ApiError,
    body_too_large,
    forbidden_origin,
    internal_error,
    missing_query_parameter,
    not_implemented,
    unsupported_query_parameter,
    unsupported_version,
)
from orchestrator.local.wire.auth import Sent
from orchestrator.local.wire.bearer import AUDIENCE
from orchestrator.local.wire.call import JSON_TYPE, Call, Framing, Reply, parse_query
from orchestrator.local.wire.credentials import Credentials
from orchestrator.local.wire.dialect import Dialect
from orchestrator.local.wire.keeping import Keeper
from orchestrator.local.wire.routing import Handler, Operation, Router

S = TypeVar("S")
Answer = Callable[[Call], Awaitable[Reply]]
Around = Callable[[Call, Answer], Awaitable[Reply]]
"""Answers a request by the handler that it is given, or otherwise."""

LARGEST_BODY: Final = 1024 * 1024
_LARGEST_DRAINED: Final = 64 * 1024 * 1024
_LOOPBACK_HOST: Final = re.compile(r"(?:localhost|127\.0\.0\.1|\[::1\])(?::\d+)?\Z", re.IGNORECASE)
_EVERY_ANSWER: Final[Mapping[str, str]] = {
    "DataServiceVersion": "3.0",
    "Server": "Microsoft-HTTPAPI/2.0",
    "Strict-Transport-Security": "max-age=31536000; includeSubDomains",
    "X-Content-Type-Options": "nosniff",
}
_TIMEOUT: Final = "timeout"
_READING: Final = frozenset({"GET", "HEAD"})

log = structlog.get_logger("orchestrator.local.wire")


class ConnectionBroken(Exception):  # noqa: N818  # not an error: somebody wished it
    """The client is to get no answer.

    Args:
        reset: whether its connection is reset; otherwise it is closed in order.
    """

    def __init__(self, *, reset: bool) -> None:
        super().__init__(reset)
        self.reset = reset


class App(Generic[S]):
    """Answers requests.

    Args:
        service: what handlers work on.
        operations: the endpoint's table.
        key: verifies signatures and tokens.
        around: stands between a request that is in order and its handler.
        dialects: by api-version; no other is served.
    """

    def __init__(
        self,
        service: S,
        operations: Iterable[Operation[S]],
        key: Credentials,
        around: Around | None = None,
        *,
        dialects: Mapping[str, Dialect],
        keeper: Keeper | None = None,
    ) -> None:
        self._service = service
        self._router = Router(operations)
        self._key = key
        self._around = around
        self._dialects = dialects
        self._keeper = keeper

    def application(self) -> web.Application:
        """Make the aiohttp application.

        Returns:
            An application with one catch-all route: aiohttp's router decodes paths, so it must not decide.
        """
        application = web.Application()
        application.router.add_route("*", "/{path:.*}", self.handle)
        application.on_response_prepare.append(_drop_invented_type)
        return application

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer one request, whatever it is.

        Args:
            request: of aiohttp.

        Returns:
            The answer, sent.
        """
        request_id = str(uuid.uuid4())
        at = times.now()
        account_url = f"{request.scheme}://{request.headers.get('Host', '')}"
        try:
            reply = await self._answer(request, request_id, account_url, at)
        except ApiError as refusal:
            reply = _refusal(refusal, account_url, request_id, at)
        except ConnectionBroken as broken:
            return _hang_up(request, broken)
        except Exception:  # the border: the client gets an answer, the log the reason
            log.exception("wire.request.broken", method=request.method, request_id=request_id)
            reply = _refusal(internal_error(), account_url, request_id, at)
        return await _send(request, reply, request_id)

    async def _answer(self, request: web.Request, request_id: str, account_url: str, at: int) -> Reply:
        check_local(request)
        raw_path, _, raw_query = request.raw_path.partition("?")
        pairs = parse_query(raw_query)
        body = await _read(request)
        sent = Sent(method=request.method, raw_path=raw_path, query=pairs, headers=request.headers)
        self._key.verify(sent, at=at)
        query: dict[str, str] = {}
        for name, value in pairs:
            if value:
                query.setdefault(name, value)
        dialect = self._dialect(query)
        operation, parameters = self._router.find(request.method, raw_path)
        if operation.handler is None:
            raise not_implemented(operation.name)
        for name in query:
            if name not in operation.query and name != "api-version" and name.lower() != _TIMEOUT:
                raise unsupported_query_parameter(name)
        call = Call(
            operation=operation.name,
            method=request.method,
            account_url=account_url,
            raw_path=raw_path,
            raw_query=raw_query,
            parameters=parameters,
            query=query,
            headers=request.headers,
            body=body,
            request_id=request_id,
            dialect=dialect,
            at=at,
        )
        answer = partial(self._call, operation.handler)
        return await (answer(call) if self._around is None else self._around(call, answer))

    async def _call(self, handler: Handler[S], call: Call) -> Reply:
        if self._keeper is None:
            return await handler(self._service, call)
        reading = call.method in _READING
        self._keeper.check(reading=reading)
        try:
            return await handler(self._service, call)
        finally:
            # No answer, not even a refusal, tells what a kill could still undo.
            await self._keeper.settle(reading=reading)

    def _dialect(self, query: Mapping[str, str]) -> Dialect:
        version = query.get("api-version")
        if version is None:
            raise missing_query_parameter("api-version")
        dialect = self._dialects.get(version)
        if dialect is None:
            raise unsupported_version(version)
        return dialect


def check_local(request: web.Request) -> None:
    """Refuse what may come from a page in a browser.

    Args:
        request: to any path.

    Raises:
        ApiError: InsufficientAccountPermissions.
    """
    # A page in a browser can reach loopback, directly (then it sends Origin) or by a name of its own that
    # resolves to 127.0.0.1 (then Host tells). Either would be handing out code execution.
    if not _LOOPBACK_HOST.match(request.headers.get("Host", "")):
        raise forbidden_origin("Host")
    if "Origin" in request.headers:
        raise forbidden_origin("Origin")


async def _read(request: web.Request) -> bytes:
    if not request.can_read_body:
        return b""
    pieces: list[bytes] = []
    size = 0
    async for piece in request.content.iter_any():
        size += len(piece)
        if size <= LARGEST_BODY:
            pieces.append(piece)
        elif size > _LARGEST_DRAINED:
            break
    if size > LARGEST_BODY:
        # Read to its end first: a client that is still sending would see a reset and not the answer.
        raise body_too_large(LARGEST_BODY)
    return b"".join(pieces)


def _refusal(refusal: ApiError, account_url: str, request_id: str, at: int) -> Reply:
    if refusal.status == HTTPStatus.NOT_MODIFIED:
        return Reply(status=304, framing=Framing.LENGTH)
    headers = {"Content-Type": JSON_TYPE}
    if refusal.status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = f'Bearer error="invalid_token", resource="{AUDIENCE}"'
    return Reply(
        status=refusal.status,
        headers=headers,
        body=refusal.body(account_url, request_id, at),
        framing=Framing.LENGTH,
        reason=refusal.message,
    )


def _hang_up(request: web.Request, broken: ConnectionBroken) -> web.Response:
    if request.transport is not None:
        if broken.reset:
            # With nothing to linger for, closing sends a reset.
            request.transport.get_extra_info("socket").setsockopt(
                socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
            )
            request.transport.abort()
        else:
            request.transport.close()
    return web.Response()  # for the form: nobody is there to read it


class _Typeless(web.Response):
    """An answer without a body, for which aiohttp names a type and the real service does not (recorded)."""


async def _drop_invented_type(_request: web.Request, response: web.StreamResponse) -> None:
    if isinstance(response, _Typeless):
        response.headers.pop("Content-Type", None)


async def _send(request: web.Request, reply: Reply, request_id: str) -> web.StreamResponse:
    headers = {**reply.headers, "request-id": request_id, **_EVERY_ANSWER}
    if request.headers.get("return-client-request-id", "").lower() == "true":
        headers["client-request-id"] = request.headers.get("client-request-id", "")
    chunked = reply.framing is Framing.CHUNKED and request.method != "HEAD" and request.version >= (1, 1)
    if isinstance(reply.body, bytes):
        body = reply.body if request.method != "HEAD" else b""
        kind = web.Response if "Content-Type" in headers else _Typeless
        whole = kind(status=reply.status, reason=reply.reason, headers=headers, body=body)
        if reply.length is not None:
            whole.headers["Content-Length"] = str(reply.length)
        elif chunked:
            whole.enable_chunked_encoding()
        return whole
    stream = web.StreamResponse(status=reply.status, reason=reply.reason, headers=headers)
    if chunked:
        stream.enable_chunked_encoding()
    await stream.prepare(request)
    async for piece in reply.body:
        await stream.write(piece)
    await stream.write_eof()
    return stream
