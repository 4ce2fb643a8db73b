"""Requests that are wrong in seeded ways, as bytes for a socket: of HTTP, of the API, and of both."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Final

PATHS: Final = (
    "/v1/runs",
    "/v1/runs/x",
    "/v1/runs/x/tasks",
    "/v1/runs/x/tasks/t/stdout",
    "/v1/runs/x/outputs",
    "/v1/runs/x/outputs/a/b",
    "/v1/runs/x/events",
    "/v1/runs/x/cancel",
    "/v1/runs/x/retry-failed",
    "/page/session",
    "/page/index.html",
    "/metrics",
    "/openapi.json",
    "/healthz",
    "/",
)
_WORDS: Final = (
    "..", "../..", "%00", "%2e%2e%2f", "%ff", "%", "%zz", "a" * 3000, "\u0663", "é", "\x7f", "//", "\\",
    "%0d%0aX: y", "?", "#", "~", "%F0%9F%92%A9", "-1", "0", "9" * 400, "1e9", "null", "true",
    "'\"<>", "\ud800",
)  # fmt: skip
_METHODS: Final = (
    "GET",
    "POST",
    "PUT",
    "PATCH",
    "DELETE",
    "HEAD",
    "OPTIONS",
    "TRACE",
    "CONNECT",
    "get",
    "A" * 40,
)
_KINDS: Final = (
    "application/json",
    "application/toml",
    "multipart/form-data",
    "multipart/form-data; boundary=b",
    "multipart/form-data; boundary=" + "b" * 100,
    "multipart/mixed; boundary=b",
    "text/plain",
    "application/json; charset=utf-16",
    "application/json; charset=nothing",
    "a/b/c",
    ";",
)
_PARAMETERS: Final = ("limit", "after", "phase", "state", "submitter", "priority", "follow", "nothing")
_HEADERS: Final = (
    "Last-Event-ID", "Idempotency-Key", "Cookie", "Origin", "Range", "Content-Encoding", "If-None-Match",
    "Accept", "Expect", "Upgrade", "Connection", "If-Modified-Since", "X-Forwarded-For",
)  # fmt: skip
_VALUES: Final = (
    "gzip", "deflate", "br", "bytes=0-", "bytes=9-1", "100-continue", "websocket", "close", "null", "http://evil",
    "1" * 5000, "-1", "\u0663", "a=b; =; ;;", "x" * 7000, "Thu, 99 Foo 2026", "0x1", " ",
)  # fmt: skip


class Maker:
    """Makes requests; the same seed makes the same ones.

    Args:
        token: that opens the door: refusals before it would hide what is behind.
    """

    def __init__(self, seed: int, token: str) -> None:
        self._source = random.Random(seed)
        self._token = token

    def make(self) -> bytes:
        """The next one."""
        kinds: tuple[Callable[[], bytes], ...] = (
            self._api, self._api, self._api, self._body, self._body, self._form, self._line,
            self._framing, self._cut,
        )  # fmt: skip
        return self._source.choice(kinds)()

    # --- kinds --------------------------------------------------------------------------------------------

    def _api(self) -> bytes:
        """HTTP that is right, and an API that is not."""
        query = "&".join(
            f"{self._source.choice(_PARAMETERS)}={self._source.choice(_WORDS)}"
            for _ in range(self._source.randint(0, 3))
        )
        return self._request(self._source.choice(_METHODS), f"{self._path()}?{query}", self._some_headers())

    def _body(self) -> bytes:
        """A job that is none."""
        kind, body = self._source.choice(_KINDS), self._document()
        headers = [("Content-Type", kind), *self._some_headers()]
        path = self._source.choice(("/v1/runs", "/v1/runs", "/page/session", self._path()))
        return self._request(self._source.choice(("POST", "POST", "PUT", "DELETE")), path, headers, body)

    def _form(self) -> bytes:
        """A form that is none, or whose parts are wrong."""
        pieces = [
            b"--b\r\n", b"--b--\r\n", b"--b", b"\r\n", b"\r\n\r\n", b"--c\r\n", b"\x00\xff", b": \r\n",
            b"Content-Disposition: form-data\r\n\r\n",
            b'Content-Disposition: form-data; name="job"\r\n\r\n[pool]\r\n',
            b'Content-Disposition: form-data; name="job"; filename="job.json"\r\n\r\n{"id": 3}\r\n',
            b'Content-Disposition: form-data; name="file"; filename="../../x"\r\n\r\nx\r\n',
            b'Content-Disposition: form-data; name="file"; filename="a/\x00"\r\n\r\nx\r\n',
            b'Content-Disposition: form-data; name="file"; filename="a"\r\n\r\nx\r\n',
            b'Content-Disposition: form-data; name="file"; filename="a/b"\r\n\r\nx\r\n',
            b'Content-Disposition: form-data; name="file"; filename="' + b"n/" * 3000 + b'"\r\n\r\nx\r\n',
            b'Content-Disposition: form-data; name="file"; filename="' + b"\xc3\xa9" * 99 + b'"\r\n\r\nx\r\n',
            b'Content-Disposition: form-data; name="base"\r\n\r\na\r\n',
            b'Content-Disposition: form-data; name="base"\r\n\r\n\x00/\xff\r\n',
            b'Content-Disposition: form-data; name="\xff\xfe"\r\n\r\n\r\n',
            b"Content-Transfer-Encoding: base64\r\nContent-Encoding: gzip\r\n",
            b"Content-Type: multipart/mixed; boundary=c\r\n\r\n",
            b"Content-Disposition: attachment; filename*=nothing''%zz\r\n\r\n",
        ]  # fmt: skip
        chosen = b"".join(self._source.choice(pieces) for _ in range(self._source.randint(1, 8)))
        body = b"--b\r\n" + chosen + self._source.choice((b"--b--\r\n", b""))
        return self._request("POST", "/v1/runs", [("Content-Type", "multipart/form-data; boundary=b")], body)

    def _line(self) -> bytes:
        """A first line that is none."""
        choice = self._source.choice
        return choice(
            (
                b"GET\r\n\r\n",
                b"GET  /  HTTP/1.1\r\nHost: localhost\r\n\r\n",
                b"GET / HTTP/9.9\r\nHost: localhost\r\n\r\n",
                b"GET / HTTP/1.1\r\n\r\n",
                b"\x16\x03\x01\x02\x00\x01\x00",
                b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
                b"GET http://other/ HTTP/1.1\r\nHost: localhost\r\n\r\n",
                b"GET /" + b"a" * self._source.randint(8000, 20000) + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
                b"CONNECT localhost:80 HTTP/1.1\r\nHost: localhost\r\n\r\n",
                b"OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n",
                b"GET /\x00 HTTP/1.1\r\nHost: localhost\r\n\r\n",
                b"GET / HTTP/1.1\r\nHost: [::1\r\n\r\n",
                b"GET / HTTP/1.1\r\nHost: localhost:99999999\r\n\r\n",
                b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
                self._source.randbytes(self._source.randint(1, 200)) + b"\r\n\r\n",
            )
        )

    def _framing(self) -> bytes:
        """A body whose length is told wrongly."""
        head = f"POST /v1/runs HTTP/1.1\r\n{self._own()}Content-Type: application/json\r\n".encode()
        return head + self._source.choice(
            (
                b"Transfer-Encoding: chunked\r\n\r\nzz\r\nabc\r\n0\r\n\r\n",
                b"Transfer-Encoding: chunked\r\n\r\n5\r\nabc\r\n0\r\n\r\n",
                b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\nabc",
                b"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
                b"Transfer-Encoding: gzip, chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
                b"Transfer-Encoding: nothing\r\n\r\nabc",
                b"Content-Length: -1\r\n\r\nabc",
                b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
                b"Content-Length: 99999999999999999999\r\n\r\nabc",
                b"Content-Length: 0x3\r\n\r\nabc",
                b"Content-Length: 3\r\nContent-Encoding: gzip\r\n\r\nabc",
                b"Content-Length: 3\r\nContent-Encoding: deflate\r\n\r\nabc",
                b"X" * 9000 + b": y\r\n\r\n",
                b"X: y\r\n" * 300 + b"\r\n",
                b"X: \x00\r\n\r\n",
                b"X\r\n\r\n",
                b" folded: y\r\n\r\n",
                b"Expect: 100-continue\r\nContent-Length: 2\r\n\r\n{}",
            )
        )

    def _cut(self) -> bytes:
        """Half of a request, of which the other half never comes."""
        whole = self._source.choice((self._api, self._body, self._form))()
        return whole[: self._source.randint(1, len(whole))]

    # --- pieces -------------------------------------------------------------------------------------------

    def _path(self) -> str:
        path = self._source.choice(PATHS)
        parts = path.split("/")
        for index in range(1, len(parts)):
            if self._source.random() < 0.3:
                parts[index] = self._source.choice(_WORDS)
        return "/".join(parts)

    def _document(self) -> bytes:
        job: object = {
            "job": {"id": "job-{run}", "pool": {"id": "p"}, "tasks": [{"id": "t", "command_line": "true"}]}
        }
        text = json.dumps(job)
        wrong = (
            text[: self._source.randint(0, len(text))],
            text.replace(
                '"t"', self._source.choice(("[]", "{}", "3", "null", "1e999", '"\\ud800"', '"\\u0000"'))
            ),
            text.replace('"p"', json.dumps(self._source.choice(_WORDS))),
            "[" * self._source.choice((10, 5000, 200_000)),
            '{"job":' * 2000,
            "1" * 5000,
            '{"job": ' + "9" * 6000 + "}",
            '{"job": {"pool": {"rest": ' + "[" * 2000 + "]" * 2000 + "}}}",
            "[pool]\n" * 2,
            "a = " + "[" * 2000,
            'id = "' + "x" * 100_000,
            "id = 1979-99-99",
            '{"token": 3}',
            '{"token": "\\ud800"}',
        )
        chosen = self._source.choice(wrong).encode("utf-8", "surrogatepass")
        changed = bytearray(chosen)
        for _ in range(self._source.choice((0, 0, 1, 5))):
            if changed:
                changed[self._source.randrange(len(changed))] = self._source.randrange(256)
        return self._source.choice(
            (bytes(changed), bytes(changed), chosen.decode("utf-8", "replace").encode("utf-16"))
        )

    def _some_headers(self) -> list[tuple[str, str]]:
        count = self._source.choice((0, 0, 1, 2))
        return [(self._source.choice(_HEADERS), self._source.choice(_VALUES)) for _ in range(count)]

    def _own(self) -> str:
        return f"Host: localhost\r\nAuthorization: Bearer {self._token}\r\n"

    def _request(self, method: str, path: str, headers: list[tuple[str, str]], body: bytes = b"") -> bytes:
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers)
        length = f"Content-Length: {len(body)}\r\n" if body else ""
        head = f"{method} {path} HTTP/1.1\r\n{self._own()}{lines}{length}Connection: close\r\n\r\n"
        return head.encode("utf-8", "surrogatepass") + body
