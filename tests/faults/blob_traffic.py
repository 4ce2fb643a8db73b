"""Stands before the blob server and counts what is asked of it: the service's own word on what came twice."""

from __future__ import annotations

import asyncio
import contextlib
import re
import threading
from collections import Counter
from pathlib import Path
from types import TracebackType
from typing import Self

_ENDPOINT = re.compile(r"(?<=BlobEndpoint=http://127\.0\.0\.1:)\d+")
_REQUEST = re.compile(rb"(GET|PUT|DELETE) /local/([^/? ]+/[^? ]+)[^ ]* HTTP/1\.1\r\n")
_LONGEST = 4096
"""Of a request line; so much is kept of what came, in case that the rest of the line comes with the next."""
_RUN = 65536
_LIMIT = 30.0


class BlobTraffic:
    """A relay on loopback, in a thread of its own; a context manager.

    Args:
        env_file: settings of the service.
        through: written: the same settings, with the blob server's address replaced by the relay's.
    """

    def __init__(self, env_file: Path, through: Path) -> None:
        self._env_file = env_file
        self._through = through
        self._guard = threading.Lock()
        self._asked: Counter[tuple[str, str]] = Counter()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name="blob traffic", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(_LIMIT)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(_LIMIT)
        assert not self._thread.is_alive()

    def asked(self) -> Counter[tuple[str, str]]:
        """How often each blob was asked for so far, by method and path."""
        with self._guard:
            return self._asked.copy()

    def _run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        settings = self._env_file.read_text()
        found = _ENDPOINT.search(settings)
        assert found is not None
        self._port = int(found[0])
        server = await asyncio.start_server(self._relay, "127.0.0.1", 0)
        mine = server.sockets[0].getsockname()[1]
        self._through.touch(mode=0o600)
        self._through.write_text(_ENDPOINT.sub(str(mine), settings))
        self._ready.set()
        await self._stop.wait()
        server.close()

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.CancelledError):
            there = await asyncio.open_connection("127.0.0.1", self._port)
            try:
                async with asyncio.TaskGroup() as group:
                    back = group.create_task(self._pump(there[0], writer, count=False))
                    await self._pump(reader, there[1], count=True)
                    back.cancel()  # whoever asked has gone; what would still come is for nobody
            finally:
                there[1].close()
        writer.close()

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, *, count: bool) -> None:
        kept = b""
        with contextlib.suppress(OSError):
            while data := await source.read(_RUN):
                if count:
                    kept = self._note(kept + data)
                sink.write(data)
                await sink.drain()
        sink.close()

    def _note(self, data: bytes) -> bytes:
        end = 0
        for found in _REQUEST.finditer(data):
            with self._guard:
                self._asked[found[1].decode(), found[2].decode()] += 1
            end = found.end()
        return data[max(end, len(data) - _LONGEST) :]
