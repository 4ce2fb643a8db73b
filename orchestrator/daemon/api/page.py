"""The page at `/`: its files, and the session that a browser gets for a token."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from importlib.resources import files
from pathlib import PurePosixPath
from typing import Any, Final

import msgspec
from aiohttp import web

from orchestrator.daemon import refusals
from orchestrator.daemon.api.guard import scope_of_request, session_cookie
from orchestrator.daemon.api.routing import Handler
from orchestrator.daemon.api.views import json_response
from orchestrator.daemon.service import DaemonService
from orchestrator.daemon.tokens import Scope
from orchestrator.events import utc_now

Guard = Callable[[Handler, Scope | None], Callable[[web.Request], Awaitable[web.StreamResponse]]]

_FOLDER = "page"
_SESSION = f"/{_FOLDER}/session"
_TYPES = {
    ".html": "text/html",
    ".js": "text/javascript",
    ".css": "text/css",
    ".svg": "image/svg+xml",
}
_POLICY = "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    # The files change with the daemon only, but an old page must not talk to a new daemon.
    "Cache-Control": "no-cache",
}
_LONGEST_TOKEN = 4096


class _Login(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    token: str


_LOGIN: Final = msgspec.json.Decoder(_Login)


def add_page(app: web.Application, service: DaemonService, guarded: Guard) -> None:
    """Serve the page beside the API.

    Args:
        app: not frozen yet.
        service: whose page it is.
        guarded: puts the guard before a handler.
    """
    app.router.add_get(_SESSION, guarded(_session, None))
    app.router.add_post(_SESSION, guarded(_log_in, None))
    app.router.add_delete(_SESSION, guarded(_log_out, None))
    page = _Page(_read())
    for path in ("/", f"/{_FOLDER}/{{name:.+}}"):  # after the session, which is no file
        app.router.add_get(path, guarded(page.file, None))


class _Page:
    """The page's files, read once: there are few, and none is large.

    Args:
        content: by path.
    """

    def __init__(self, content: dict[str, bytes]) -> None:
        self._content = content

    async def file(self, request: web.Request, _: DaemonService) -> web.Response:
        """One file; the page itself at `/`."""
        name = request.match_info.get("name", "index.html")
        body = self._content.get(name)
        if body is None:
            raise refusals.no_such_file(name)
        content_type = _TYPES[PurePosixPath(name).suffix]
        return web.Response(body=body, content_type=content_type, charset="utf-8", headers=_HEADERS)


def _read() -> dict[str, bytes]:
    found: dict[str, bytes] = {}

    def look(folder: Any, prefix: str) -> None:
        for entry in folder.iterdir():
            if entry.is_dir():
                look(entry, f"{prefix}{entry.name}/")
            elif PurePosixPath(entry.name).suffix in _TYPES:
                found[prefix + entry.name] = entry.read_bytes()

    look(files("orchestrator.daemon") / _FOLDER, "")
    return found


async def _session(request: web.Request, service: DaemonService) -> web.Response:
    """What the browser's session allows; nothing where it has none, which is no error."""
    scope = scope_of_request(request, service)
    return json_response({"scope": scope.value if scope is not None else None})


async def _log_in(request: web.Request, service: DaemonService) -> web.Response:
    """A session for a token."""
    body = await request.content.read(_LONGEST_TOKEN)
    try:
        token = _LOGIN.decode(body).token
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise refusals.wrong_request("the body has to be JSON with a token", where="body") from error
    scope = service.tokens.scope_of(token.strip())
    if scope is None:
        raise refusals.no_token()
    response = json_response({"scope": scope.value})
    response.set_cookie(
        session_cookie(request),
        service.sessions.begin(scope, now=utc_now()),
        max_age=int(service.sessions.lifetime),
        httponly=True,
        samesite="Strict",
        secure=request.secure,
        path=_below(request),
    )
    return response


async def _log_out(request: web.Request, _: DaemonService) -> web.Response:
    """Forget the session."""
    response = web.Response(status=204)
    response.del_cookie(session_cookie(request), path=_below(request))
    return response


def _below(request: web.Request) -> str:
    """Where the daemon begins: it may be mounted below somebody else's page."""
    return request.path.removesuffix(_SESSION) + "/"
