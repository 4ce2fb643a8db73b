"""Who may ask: the name that was asked for, the page that asks, the pace, and the token."""

from __future__ import annotations

import time
from collections import OrderedDict
from urllib.parse import urlsplit

from aiohttp import web

from orchestrator.daemon import refusals
from orchestrator.daemon.config import ListenConfig
from orchestrator.daemon.service import DaemonService
from orchestrator.daemon.tokens import Scope
from orchestrator.events import utc_now

_OWN_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
_BEARER = "bearer "
_SAFE = frozenset({"GET", "HEAD"})


def check_host(request: web.Request, listen: ListenConfig) -> None:
    """Refuse a name that is not the daemon's: a foreign page's own name that was made to lead here.

    Raises:
        DaemonError: the `Host` header names something else.
    """
    if _name(request.host) not in {*_OWN_NAMES, listen.host.lower(), *map(str.lower, listen.allowed_hosts)}:
        raise refusals.foreign_host(request.host)


def check_origin(request: web.Request, listen: ListenConfig) -> None:
    """Refuse what a foreign page asks; programs send no `Origin`.

    Raises:
        DaemonError: the page is neither the daemon's own nor allowed.
    """
    origin = request.headers.get("Origin")
    if origin is None or origin in listen.allowed_origins:
        return
    if origin != f"{request.scheme}://{request.host}":
        raise refusals.foreign_origin(origin)


def check_token(request: web.Request, service: DaemonService, scope: Scope | None) -> None:
    """Refuse who has no token, or one that does not allow this.

    Raises:
        DaemonError: it is missing, wrong, or only for reading.
    """
    if scope is None:
        return
    allowed = scope_of_request(request, service)
    if allowed is None:
        raise refusals.no_token()
    if scope is Scope.WRITE and allowed is not Scope.WRITE:
        raise refusals.read_only()


def scope_of_request(request: web.Request, service: DaemonService) -> Scope | None:
    """What the token of a program allows, or the session of a browser; None for neither.

    A browser sends its cookie whoever asks it to, so acting by it takes an `Origin` too, which is the
    daemon's own if `check_origin` let it pass; browsers send one with whatever is no GET.
    """
    header = request.headers.get("Authorization", "")
    if header[: len(_BEARER)].lower() == _BEARER:
        return service.tokens.scope_of(header[len(_BEARER) :].strip())
    session = request.cookies.get(session_cookie(request))
    if session is None or (request.method not in _SAFE and "Origin" not in request.headers):
        return None
    return service.sessions.scope_of(session, now=utc_now())


def session_cookie(request: web.Request) -> str:
    """The name of the cookie: browsers don't tell one port from another, so the name has to."""
    return f"orchestrator-session-{_port(request.host)}"


class Pace:
    """How fast each client may ask: so many at once, so many a second in the long run."""

    def __init__(self) -> None:
        self._clients: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def check(
        self, client: str, *, rate: float, burst: int, remembered: int, now: float | None = None
    ) -> None:
        """Count a request.

        Args:
            client: its address.
            rate: requests a second.
            burst: requests at once.
            remembered: of how many clients the pace is kept in mind.
            now: of a clock that never goes back, in seconds.

        Raises:
            DaemonError: it asks too fast.
        """
        now = time.monotonic() if now is None else now
        left, since = self._clients.pop(client, (float(burst), now))
        left = min(left + (now - since) * rate, float(burst))
        allowed = left >= 1.0
        self._clients[client] = (left - 1.0 if allowed else left, now)
        while len(self._clients) > remembered:
            self._clients.popitem(last=False)
        if not allowed:
            raise refusals.too_fast((1.0 - left) / rate)


def client_of(request: web.Request) -> str:
    """Who asks, as far as the connection tells; all of a Unix socket are one."""
    return request.remote or "socket"


def _port(host: str) -> int:
    try:
        return urlsplit(f"//{host}").port or 0
    except ValueError:
        return 0


def _name(host: str) -> str:
    try:
        return (urlsplit(f"//{host}").hostname or "").lower()
    except ValueError:
        return ""
