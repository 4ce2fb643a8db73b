"""A client of the control endpoint."""

from __future__ import annotations

from typing import Any, Final

import aiohttp

CONTROL_KEY: Final = "control-key-of-these-tests"


class ControlClient:
    """Sends requests with a key, and gives status and body."""

    def __init__(self, session: aiohttp.ClientSession, url: str, key: str = CONTROL_KEY) -> None:
        self._session = session
        self._url = f"{url}/_local"
        self._key = key

    async def send(
        self, method: str, path: str, body: Any = None, *, headers: dict[str, str] | None = None
    ) -> tuple[int, Any]:
        sent = {"Orchestrator-Local-Control-Key": self._key, **(headers or {})}
        data = body if isinstance(body, bytes) else None
        json = None if isinstance(body, bytes) else body
        async with self._session.request(
            method, self._url + path, json=json, data=data, headers=sent
        ) as answer:
            return answer.status, await answer.json()
