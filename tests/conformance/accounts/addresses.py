"""Uses a signed address as a node does: plainly, without an account."""

from __future__ import annotations

import asyncio
import time

import aiohttp
from yarl import URL


async def fetch(method: str, url: str, data: bytes | None = None) -> tuple[int, bytes]:
    """Send one request; gives status and body."""
    headers = {"x-ms-blob-type": "BlockBlob"} if data is not None else {}
    async with (
        aiohttp.ClientSession() as session,
        session.request(method, URL(url, encoded=True), data=data, headers=headers) as answer,
    ):
        return answer.status, await answer.read()


async def opens(url: str) -> bool:
    """Whether an address of a blob opens it; any answer but yes and "you may not" is a failure."""
    status, body = await fetch("GET", url)
    assert status in (200, 403), (status, body)
    return status == 200


async def until_opens(url: str, *, does: bool, limit: float = 20.0) -> None:
    """Wait until an address opens its blob, or does not any more; fails after a while."""
    deadline = time.monotonic() + limit
    while await opens(url) is not does:
        assert time.monotonic() < deadline, f"after {limit:g} s the address opens: {not does}"
        await asyncio.sleep(0.05)
