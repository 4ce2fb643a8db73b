"""A server for resource and output files that answers as it is told, mistakes included."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections import Counter

from aiohttp import web


class Storage:
    """Blobs under `/c/NAME`; every other first path segment is a way to go wrong.

    `/status/404/x` answers with this status, `/flaky/N/NAME` with 503 the first N times, `/slow/x` never,
    `/short/x` ends early, `/corrupt/x` has another checksum, `/moved/NAME` redirects, `/ended/NAME` ends each
    connection that brings a second request, without an answer, `/together/N/NAME` answers when N requests are
    there.
    """

    def __init__(self) -> None:
        self.blobs: dict[str, bytes] = {}
        self.headers: dict[str, dict[str, str]] = {}
        self.requests: Counter[str] = Counter()
        self.url = ""
        self.port = 0
        self.peers: list[object] = []
        self._released = asyncio.Event()
        self._together = asyncio.Condition()

    async def start(self, port: int = 0) -> None:
        app = web.Application(client_max_size=1 << 30)
        app.router.add_route("*", "/c/{name:.*}", self._blob)
        app.router.add_route("*", "/flaky/{times}/{name:.*}", self._flaky)
        app.router.add_route("*", "/status/{status}/{name:.*}", self._status)
        app.router.add_route("*", "/slow/{name:.*}", self._slow)
        app.router.add_get("/short/{name:.*}", self._short)
        app.router.add_get("/corrupt/{name:.*}", self._corrupt)
        app.router.add_get("/moved/{name:.*}", self._moved)
        app.router.add_route("*", "/ended/{name:.*}", self._ended)
        app.router.add_route("*", "/together/{number}/{name:.*}", self._all_there)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", port, reuse_address=True)
        await site.start()
        host, self.port = self._runner.addresses[0][:2]
        self.url = f"http://{host}:{self.port}"

    async def close(self) -> None:
        self._released.set()
        await self._runner.cleanup()

    async def _ended(self, request: web.Request) -> web.Response:
        assert request.transport is not None
        if self.peers.count(request.transport.get_extra_info("peername")):
            self.requests["ended"] += 1
            request.transport.abort()
        return await self._blob(request)

    async def _all_there(self, request: web.Request) -> web.Response:
        async with self._together:
            self.requests["together"] += 1
            self._together.notify_all()
            await self._together.wait_for(
                lambda: self.requests["together"] % int(request.match_info["number"]) == 0
            )
        return await self._blob(request)

    async def _blob(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        self.requests[name] += 1
        if request.transport is not None:
            self.peers.append(request.transport.get_extra_info("peername"))
        if request.method == "PUT":
            body = await request.read()
            if request.headers["Content-MD5"] != base64.b64encode(hashlib.md5(body).digest()).decode():
                return web.Response(status=400, headers={"x-ms-error-code": "Md5Mismatch"})
            self.blobs[name] = body
            self.headers[name] = {key.lower(): value for key, value in request.headers.items()}
            return web.Response(status=201)
        if name not in self.blobs:
            return web.Response(status=404, headers={"x-ms-error-code": "BlobNotFound"})
        md5 = base64.b64encode(hashlib.md5(self.blobs[name]).digest()).decode()
        return web.Response(body=self.blobs[name], headers={"Content-MD5": md5})

    async def _flaky(self, request: web.Request) -> web.Response:
        self.requests["flaky"] += 1
        if self.requests["flaky"] <= int(request.match_info["times"]):
            return web.Response(status=503)
        return await self._blob(request)

    async def _status(self, request: web.Request) -> web.Response:
        self.requests["status"] += 1
        return web.Response(status=int(request.match_info["status"]))

    async def _slow(self, _: web.Request) -> web.Response:
        self.requests["slow"] += 1
        await self._released.wait()
        return web.Response(status=404)

    async def _short(self, request: web.Request) -> web.StreamResponse:
        self.requests["short"] += 1
        response = web.StreamResponse(headers={"Content-Length": "1000"})
        await response.prepare(request)
        await response.write(b"x")
        assert request.transport is not None
        request.transport.close()
        return response

    async def _corrupt(self, _: web.Request) -> web.Response:
        self.requests["corrupt"] += 1
        return web.Response(body=b"x", headers={"Content-MD5": base64.b64encode(bytes(16)).decode()})

    async def _moved(self, request: web.Request) -> web.Response:
        raise web.HTTPFound(f"/c/{request.match_info['name']}")
