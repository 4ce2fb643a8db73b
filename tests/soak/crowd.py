"""A listener over a plain socket, cheap enough for a thousand of them in one test."""

from __future__ import annotations

import asyncio
import re
from urllib.parse import urlsplit

_ID = re.compile(rb"^id: (\d+)$", re.MULTILINE)
_LIMIT = 60.0


class Ear:
    """One listener that reads all that comes, and keeps the number of what it saw last.

    Attributes:
        last: number of its newest event.
        events: how many it has seen.
    """

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self.last = 0
        self.events = 0
        self.gone = False

    @classmethod
    async def open(cls, address: str, token: str, path: str = "/v1/events") -> Ear:
        """Connect, and wait until the stream has begun."""
        url = urlsplit(address)
        reader, writer = await asyncio.open_connection(url.hostname, url.port)
        head = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\r\n"
        writer.write(head.encode())
        status = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), _LIMIT)
        assert b" 200 " in status.partition(b"\r\n")[0], status
        return cls(reader, writer)

    async def listen(self) -> None:
        """Read to the end of the stream."""
        left = b""
        while piece := await self._reader.read(65536):
            whole, _, left = (left + piece).rpartition(b"\n")
            if found := _ID.findall(whole):
                self.events += len(found)
                self.last = int(found[-1])
        self.gone = True

    def close(self) -> None:
        self._writer.transport.abort()
