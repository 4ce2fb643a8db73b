"""A small Blob endpoint on loopback: as much of the protocol as the program speaks, and faults on order."""

from __future__ import annotations

import base64
import hashlib
import socket
import struct
import time
import xml.etree.ElementTree as ET
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from urllib.parse import unquote

from aiohttp import web

SECRET = "c2VjcmV0%2Bsignature%3D"
SAS = f"sv=2021-12-02&sr=c&sp=cw&sig={SECRET}"
CONTAINER = "/account/outputs"

Fault = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


@dataclass(frozen=True)
class Seen:
    """A request as it came in."""

    blob: str
    operation: str
    size: int
    at: float


@dataclass
class Storage:
    """What was uploaded, what was asked, and what goes wrong next."""

    url: str = ""
    blobs: dict[str, bytes] = field(default_factory=dict)
    properties: dict[str, dict[str, str]] = field(default_factory=dict)
    requests: list[Seen] = field(default_factory=list)
    faults: deque[Fault | None] = field(default_factory=deque)  # None: this request is served
    always: Fault | None = None
    _blocks: dict[tuple[str, str], bytes] = field(default_factory=dict)

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Serves one PUT, or lets it fail as ordered."""
        name = unquote(request.raw_path.partition("?")[0], errors="strict").removeprefix(f"{CONTAINER}/")
        operation = request.query.get("comp", "blob")
        fault = self.faults.popleft() if self.faults else self.always
        if fault is not None:
            self.requests.append(Seen(blob=name, operation=operation, size=0, at=time.monotonic()))
            return await fault(request)
        body = await request.content.read()
        self.requests.append(Seen(blob=name, operation=operation, size=len(body), at=time.monotonic()))
        return self._refusal(request, body) or self._put(request, name, operation, body)

    def _refusal(self, request: web.BaseRequest, body: bytes) -> web.Response | None:
        if request.method != "PUT" or not request.raw_path.startswith(f"{CONTAINER}/"):
            return refusal(404, "ResourceNotFound")
        if f"sig={SECRET}" not in request.raw_path:
            return refusal(403, "AuthenticationFailed")
        if request.headers.get("x-ms-version") != "2021-12-02" or "Content-Length" not in request.headers:
            return refusal(400, "InvalidHeaderValue")
        if request.headers.get("Content-MD5") != md5(body):
            return refusal(400, "Md5Mismatch")
        return None

    def _put(self, request: web.BaseRequest, name: str, operation: str, body: bytes) -> web.Response:
        if operation == "block":
            self._blocks[name, request.query["blockid"]] = body
            return web.Response(status=201)
        if operation == "blocklist":
            ids = [element.text or "" for element in ET.fromstring(body)]
            if any((name, block_id) not in self._blocks for block_id in ids):
                return refusal(400, "InvalidBlockList")
            self.blobs[name] = b"".join(self._blocks[name, block_id] for block_id in ids)
            self.properties[name] = {
                "type": request.headers.get("x-ms-blob-content-type", ""),
                "md5": request.headers.get("x-ms-blob-content-md5", ""),
            }
            return web.Response(status=201)
        if request.headers.get("x-ms-blob-type") != "BlockBlob":
            return refusal(400, "MissingRequiredHeader")
        self.blobs[name] = body
        self.properties[name] = {
            "type": request.headers.get("Content-Type", ""),
            "md5": request.headers.get("Content-MD5", ""),
        }
        return web.Response(status=201)


def md5(data: bytes) -> str:
    return base64.b64encode(hashlib.md5(data).digest()).decode()


def refusal(status: int, code: str, **headers: str) -> web.Response:
    return web.Response(
        status=status,
        headers={"x-ms-error-code": code, "x-ms-request-id": "00000000-0001", **headers},
        text=f"<Error><Code>{code}</Code></Error>",
    )


def answers(status: int, code: str, **headers: str) -> Fault:
    """The server reads the request and refuses it."""

    async def fault(request: web.BaseRequest) -> web.StreamResponse:
        await request.content.read()
        return refusal(status, code, **headers)

    return fault


async def resets(request: web.BaseRequest) -> web.StreamResponse:
    """The connection ends with a reset instead of an answer."""
    await request.content.read()
    assert request.transport is not None
    connection = request.transport.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    request.transport.abort()
    return web.Response()
