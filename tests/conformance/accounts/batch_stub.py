"""A Batch endpoint that does what it is told: answers in a given order, and accidents of the network.

It verifies each request's signature over the path exactly as it came, as the real service is documented to.
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self
from urllib.parse import quote, unquote

from aiohttp import web

from orchestrator.accounts.settings import AccountSettings
from orchestrator.local.wire.auth import SharedKey, string_to_sign
from orchestrator.spec.secret import SecretText

KEY = "a2V5IG9mIHRoZSB0ZXN0cw=="


@dataclass
class Reply:
    """One answer.

    Args:
        status: of it.
        body: JSON unless it is bytes already.
        headers: further ones.
        accident: done to the connection instead of, or after the start of, an answer.
    """

    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    accident: str = ""


def refusal(status: int, code: str, **headers: str) -> Reply:
    """An error as the service words it."""
    message = {"lang": "en-US", "value": f"{code} it is.\nRequestId:1\nTime:2"}
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply(status, {"code": code, "message": message}, named)


DROP = Reply(accident="drop")
"""The connection is cut before anything is answered."""

HANG = Reply(accident="hang")
"""Nothing is answered until the service is stopped."""

CUT = Reply(body=b"x" * 1000, accident="cut")
"""The connection is cut in the middle of the body."""


@dataclass
class Seen:
    """A request as it came."""

    method: str
    raw_path: str
    query: dict[str, str]
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


class BatchStub:
    """Serves on loopback; replies are taken from `replies`, the last one again and again."""

    def __init__(self) -> None:
        self.replies: deque[Reply | Callable[[Seen], Reply]] = deque()
        self.seen: list[Seen] = []
        self.unsigned: list[str] = []
        self.arrived = asyncio.Event()
        self.port = 0
        self._stopped = asyncio.Event()
        self._signer = SharedKey("acc", KEY)

    @property
    def settings(self) -> AccountSettings:
        """What reaches it; there is no storage behind the storage's address."""
        return AccountSettings(
            batch_account="acc",
            batch_endpoint=f"http://127.0.0.1:{self.port}",
            batch_key=SecretText(KEY),
            storage_connection_string=SecretText(
                f"AccountName=acc;AccountKey={KEY};BlobEndpoint=http://127.0.0.1:1/acc"
            ),
        )

    async def start(self) -> Self:
        app = web.Application(client_max_size=4 * 1024 * 1024)
        app.router.add_route("*", "/{tail:.*}", self._handle)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.port = self._runner.addresses[0][1]
        return self

    async def stop(self) -> None:
        self._stopped.set()
        await self._runner.cleanup()

    def says(self, *replies: Reply | Callable[[Seen], Reply]) -> None:
        """Answer so from now on."""
        self.replies = deque(replies)

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        seen = Seen(
            method=request.method,
            raw_path=request.raw_path.partition("?")[0],
            query=dict(request.query),
            body=await request.read(),
            headers=request.headers,
        )
        self.seen.append(seen)
        self.arrived.set()
        self._check_signature(request, seen)
        reply = self.replies.popleft() if len(self.replies) > 1 else self.replies[0]
        if callable(reply):
            reply = reply(seen)
        return await self._answer(request, reply)

    def _check_signature(self, request: web.Request, seen: Seen) -> None:
        length = request.headers.get("Content-Length", "")
        path = seen.raw_path
        if ";" in path:  # the SDK's signing policy can't but sign it quoted
            path = "/".join(quote(unquote(segment), safe="") for segment in path.split("/"))
        expected = self._signer.sign(
            string_to_sign(
                method=seen.method,
                resource=f"/acc{path}",
                query=list(seen.query.items()),
                headers=request.headers,
                content_length=length if seen.method == "GET" else length or "0",
            )
        )
        if request.headers.get("Authorization") != f"SharedKey acc:{expected}":
            self.unsigned.append(f"{seen.method} {request.raw_path}")

    async def _answer(self, request: web.Request, reply: Reply) -> web.StreamResponse:
        transport = request.transport
        assert transport is not None
        if reply.accident == "drop":
            transport.abort()
            return web.Response()
        if reply.accident == "hang":
            await self._stopped.wait()
            return web.Response()
        body = reply.body if isinstance(reply.body, bytes) else json.dumps(reply.body).encode()
        if reply.accident == "cut":
            response = web.StreamResponse(headers={"Content-Length": str(len(body) * 2)})
            await response.prepare(request)
            await response.write(body)
            transport.close()
            return response
        headers = {"Content-Type": "application/json", **reply.headers}
        return web.Response(status=reply.status, body=b"" if reply.body is None else body, headers=headers)
