"""Sends malformed requests, a few at once, and counts how they are answered."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from urllib.parse import urlsplit

from tests.soak.malformed import Maker

_AT_ONCE = 16
_ANSWER_LIMIT = 0.3
"""Seconds to wait for an answer: half a request gets none, and a stream never ends."""


async def pelt(address: str, maker: Maker, count: int) -> tuple[Counter[str], list[bytes]]:
    """Send so many requests, each over a connection of its own.

    Returns:
        How many answers there were of each status (`none` without one), and the requests that a status of 500
        or none at all but a broken answer came to.
    """
    url = urlsplit(address)
    statuses: Counter[str] = Counter()
    defects: list[bytes] = []
    requests = (maker.make() for _ in range(count))

    async def work() -> None:
        for request in requests:
            status = await _send(url.hostname or "", url.port or 0, request)
            statuses[status] += 1
            if status == "500":
                defects.append(request)

    async with asyncio.TaskGroup() as group:
        for _ in range(_AT_ONCE):
            group.create_task(work())
    return statuses, defects


async def _send(host: str, port: int, request: bytes) -> str:
    reader, writer = await asyncio.open_connection(host, port)
    first = b""
    try:
        with contextlib.suppress(ConnectionError, TimeoutError):
            writer.write(request)
            await asyncio.wait_for(writer.drain(), _ANSWER_LIMIT)
            first = await asyncio.wait_for(reader.readline(), _ANSWER_LIMIT)
    finally:
        writer.transport.abort()
    words = first.split()
    return words[1].decode("ascii", "replace") if len(words) > 1 else "none"
