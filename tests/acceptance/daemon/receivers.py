"""A program that is told of events by HTTP: it can fail, be slow, go away and come back."""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

SECRET = "a secret that both know"


class Receiver:
    """Keeps what it confirmed; on one port from its first start on.

    Attributes:
        events: what it confirmed, in the order in which it came.
        tries: deliveries that came, confirmed or not.
        status: what it answers.
        pause: seconds until it does.
        problems: what was wrong with a delivery.
    """

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self.problems: list[str] = []
        self.tries = 0
        self.status = 204
        self.pause = 0.0
        self._port = 0
        self._server: ThreadingHTTPServer | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}/told?key=hidden"

    def start(self) -> None:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status = receiver.take(dict(self.headers), body)
                self.send_response(status)
                self.send_header("Location", receiver.url + "&again")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", self._port), Handler)
        self._server.handle_error = lambda *_: None  # type: ignore[method-assign]  # a client that went away
        self._port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def take(self, headers: dict[str, str], body: bytes) -> int:
        self.tries += 1
        time.sleep(self.pause)
        stamp = headers["X-Orchestrator-Timestamp"]
        expected = hmac.new(SECRET.encode(), f"{stamp}.".encode() + body, hashlib.sha256).hexdigest()
        if headers["X-Orchestrator-Signature"] != f"v1={expected}":
            self.problems.append("the signature is wrong")
        if abs(time.time() - int(stamp)) > 60:
            self.problems.append("the timestamp is old")
        if self.status < 300:
            self.events.extend(json.loads(body)["events"])
        return self.status
