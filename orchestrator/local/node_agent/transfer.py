"""HTTP for one thread: a connection that is kept, retries with a limit, and a way to break off."""

from __future__ import annotations

import contextlib
import functools
import http.client
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import SplitResult, quote, urljoin, urlsplit

from .connections import Connections, Origin
from .failures import Trouble, trouble_of_status
from .patience import Patience
from .users import acting_as_the_agent

CHUNK = 256 * 1024
"""Bytes that are read or written at a time."""

STORAGE_VERSION = "2021-12-02"
"""`x-ms-version` of our requests: old enough for every emulator, new enough for blocks of any size."""

_TRANSIENT = frozenset({408, 429, 500, 502, 503, 504})
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_MOST_REDIRECTS = 5
_LONGEST_PAUSE = 20.0
_FIRST_PAUSE = 0.25

T = TypeVar("T")


class TransferCancelled(Exception):  # noqa: N818  # not an error: somebody wished it
    """The execution was ended while it transferred."""


class TransferError(Exception):
    """A server refused or did not answer, after all retries."""

    def __init__(self, trouble: Trouble, reason: str, status: int | None = None) -> None:
        super().__init__(reason)
        self.trouble = trouble
        self.reason = reason
        self.status = status

    def details(self) -> dict[str, str]:
        """Give the pairs for a `failureInfo`; never an address, since a SAS could be in it."""
        pairs = {"Message": self.reason}
        return pairs if self.status is None else {"HttpStatusCode": str(self.status)} | pairs


class _Refused(Exception):  # noqa: N818  # an answer, sorted later
    """An answer other than success."""

    def __init__(self, status: int, reason: str, retry_after: float | None) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason
        self.retry_after = retry_after


class ShortAnswerError(OSError):
    """The body ended early or is not what its checksum says: worth another try."""


@dataclass
class Channel:
    """Requests one after another; `cancel` may be called from any thread, everything else from one.

    Args:
        patience: of every request.
        fault: what every request meets instead of a server, if that is wanted: `trouble`, `reason`, `status`.
        connections: where its connection comes from, and goes when it is closed.
    """

    patience: Patience
    fault: Mapping[str, Any] | None = None
    connections: Connections = field(default_factory=Connections)
    _cancelled: threading.Event = field(default_factory=threading.Event)
    _connection: http.client.HTTPConnection | None = None
    _origin: Origin | None = None
    _used: bool = False
    _under_way: bool = False
    _others: list[Channel] = field(default_factory=list)
    # Whoever breaks off must not meet a connection that is another transfer's by now.
    _handing_over: threading.Lock = field(default_factory=threading.Lock)

    def cancel(self) -> None:
        """Break off: what runs raises `TransferCancelled` soon, what comes does so at once."""
        with self._handing_over:
            self._cancelled.set()
            others = list(self._others)
            connection = self._connection
            sock = None if connection is None else connection.sock  # read once: it may go at any moment
            if sock is not None:
                with contextlib.suppress(OSError):  # it may just have been closed
                    sock.shutdown(socket.SHUT_RDWR)
        for other in others:
            other.cancel()

    def beside(self) -> Channel:
        """Give another channel of the same execution, with its own connection; broken off with this one."""
        with self._handing_over:
            other = Channel(self.patience, self.fault, self.connections, self._cancelled)
            self._others.append(other)
        return other

    def check(self) -> None:
        """Raise if somebody called `cancel`.

        Raises:
            TransferCancelled: then.
        """
        if self._cancelled.is_set():
            raise TransferCancelled

    def close(self) -> None:
        """Let go of the connection: others may go on with it, unless this was broken off."""
        with self._handing_over:
            connection, origin = self._connection, self._origin
            ready = connection is not None and connection.sock is not None and not self._under_way
            if connection is None or origin is None or not ready or self._cancelled.is_set():
                self._drop()
                return
            self._connection = self._origin = None
        self.connections.keep(origin, connection)

    def _drop(self) -> None:
        connection, self._connection, self._origin = self._connection, None, None
        self._under_way = False
        if connection is not None:
            connection.close()

    def retrying(self, attempt: Callable[[], T]) -> T:
        """Do something until it works, is refused for good, or has been tried often enough.

        Args:
            attempt: makes requests with this channel; may run several times.

        Returns:
            What it returned.

        Raises:
            TransferError: when it is given up.
            TransferCancelled: when somebody called `cancel`.
        """
        if self.fault is not None:
            raise TransferError(Trouble(self.fault["trouble"]), self.fault["reason"], self.fault["status"])
        for number in range(1, self.patience.attempts + 1):
            self.check()
            pause = min(_FIRST_PAUSE * 2 ** (number - 1), _LONGEST_PAUSE)
            try:
                return attempt()
            except _Refused as refused:
                error = TransferError(trouble_of_status(refused.status), refused.reason, refused.status)
                if refused.status not in _TRANSIENT:
                    raise error from refused
                pause = max(pause, min(refused.retry_after or 0, _LONGEST_PAUSE))
            except TimeoutError:
                self._drop()
                error = TransferError(Trouble.TIMED_OUT, "the server did not answer in time")
            except (OSError, http.client.HTTPException) as broken:
                self._drop()
                error = TransferError(Trouble.OTHER, _words(broken))
            if number < self.patience.attempts:
                self._cancelled.wait(pause)
        self.check()
        raise error

    @contextlib.contextmanager
    def request(
        self, method: str, url: str, *, headers: Mapping[str, str] | None = None, body: bytes | None = None
    ) -> Iterator[http.client.HTTPResponse]:
        """Send one request, follow a GET's redirects, give the open answer. Use inside `retrying`.

        Args:
            method: in capitals.
            url: http or https, with its SAS.
            headers: besides Host and Content-Length.
            body: for PUT.

        Yields:
            An answer of success.

        Raises:
            TransferError: if the address can't be used at all.
        """
        for _ in range(_MOST_REDIRECTS):
            answer = self._send(method, url, headers or {}, body)
            target = answer.getheader("Location")
            if method != "GET" or answer.status not in _REDIRECTS or target is None:
                break
            self._drop()
            url = urljoin(url, target)
        whole = False
        try:
            if not 200 <= answer.status < 300:  # noqa: PLR2004  # the class of success
                answer.read(CHUNK)
                raise _Refused(answer.status, _reason(answer), _retry_after(answer))
            yield answer
            whole = answer.isclosed()
        finally:
            if not whole:  # left over bytes would be taken for the next answer
                self._drop()

    def sends(self, method: str, url: str, *, headers: Mapping[str, str], body: bytes) -> bool:
        """Send one request and do not wait; `succeeded` waits for its answer.

        A first try, for what may be sent twice: if anything goes wrong, `retrying` is to find out what.

        Args:
            method: in capitals.
            url: http or https, with its SAS.
            headers: besides Host and Content-Length.
            body: small, so that nobody waits for the server to take it.

        Returns:
            Whether it is under way.

        Raises:
            TransferCancelled: when somebody called `cancel`.
        """
        self.check()
        try:
            parts, target = _target(url)
            with acting_as_the_agent():
                connection = self._connect(parts)
                self._under_way = True
                connection.request(method, target, body=body, headers=dict(headers))
        except (OSError, ValueError, http.client.HTTPException, TransferError):
            self._drop()
            return False
        return True

    def succeeded(self) -> bool | None:
        """Wait for the answer to what `sends` sent.

        Returns:
            Whether it is one of success; None if none came.

        Raises:
            TransferCancelled: when somebody called `cancel`.
        """
        self.check()  # cancel() may have looked before there was a socket
        connection = self._connection
        if connection is None:
            return None
        try:
            with acting_as_the_agent():
                answer = connection.getresponse()
            answer.read()
        except (OSError, http.client.HTTPException):
            self._drop()
            return None
        self._under_way = False
        return 200 <= answer.status < 300  # noqa: PLR2004  # the class of success

    def _send(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes | None
    ) -> http.client.HTTPResponse:
        parts, target = _target(url)
        # Names, certificates and parts of Python may be read only now.
        with acting_as_the_agent():
            while True:
                self.check()
                connection = self._connect(parts)
                try:
                    return self._ask(connection, method, target, headers, body)
                except ConnectionError:
                    # Where the server ended one as it was taken, that says nothing of the request: a GET or
                    # a PUT, and each of those may be sent twice.
                    if not self._used:
                        raise
                    self._drop()

    def _connect(self, parts: SplitResult) -> http.client.HTTPConnection:
        origin = (parts.scheme, parts.netloc)
        if self._connection is not None and self._origin == origin:
            return self._connection
        self._drop()
        connection = self.connections.take(origin)
        self._used = connection is not None
        if connection is None:
            try:
                connection = _connection(parts, self.patience.timeout)
            except ValueError as error:
                raise TransferError(Trouble.OTHER, "the address has no usable port") from error
        self._connection, self._origin = connection, origin
        return connection

    def _ask(
        self,
        connection: http.client.HTTPConnection,
        method: str,
        target: str,
        headers: Mapping[str, str],
        body: bytes | None,
    ) -> http.client.HTTPResponse:
        try:
            connection.request(method, target, body=body, headers=dict(headers))
        except ValueError as error:
            self._drop()
            # It quotes the header or the host that can't be sent: nothing of an address is told.
            raise TransferError(Trouble.OTHER, f"not a request: {type(error).__name__}") from None
        self.check()  # cancel() may have looked before there was a socket
        answer = connection.getresponse()
        self._used = False
        return answer


def _target(url: str) -> tuple[SplitResult, str]:
    """Take an address apart; gives what the request's first line names too."""
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise TransferError(Trouble.OTHER, "the address is neither http nor https")
    target = quote(parts.path or "/", safe="/%:@!$&'()*+,;=~-._")
    if parts.query:
        target += "?" + quote(parts.query, safe="/%:@!$&'()*+,;=~-._?")
    return parts, target


def _connection(parts: SplitResult, timeout: float) -> http.client.HTTPConnection:
    host = parts.hostname or ""
    if parts.scheme == "https":
        return http.client.HTTPSConnection(host, parts.port, timeout=timeout, context=_trust())
    return http.client.HTTPConnection(host, parts.port, timeout=timeout)


@functools.cache
def _trust() -> ssl.SSLContext:
    # Once a node: reading all that a machine trusts takes longer than a transfer.
    return ssl.create_default_context()


def _reason(answer: http.client.HTTPResponse) -> str:
    return answer.getheader("x-ms-error-code") or answer.reason or f"HTTP {answer.status}"


def _retry_after(answer: http.client.HTTPResponse) -> float | None:
    value = answer.getheader("Retry-After") or ""
    return float(value) if value.isascii() and value.isdigit() else None


def _words(error: BaseException) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    # InvalidURL and its like quote the address, which may hold a SAS.
    return str(error) if isinstance(error, ShortAnswerError) else type(error).__name__
