"""What the conformance tests talk to the Batch endpoint with."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import aiohttp
import anyio
from azure.core.exceptions import HttpResponseError
from multidict import CIMultiDict
from yarl import URL

from orchestrator.local.wire import times
from orchestrator.local.wire.auth import SharedKey, string_to_sign
from orchestrator.local.wire.call import parse_query

T = TypeVar("T")

ACCOUNT: Final = "local"
KEY: Final = base64.b64encode(b"conformance" * 5).decode()
VERSION: Final = "2025-06-01"
PAUSE: Final[Any] = 0.02  # the SDK takes it, though its annotation says int
LIMIT: Final = 30.0

MACHINE: Final[dict[str, Any]] = {
    "imageReference": {"publisher": "canonical", "offer": "ubuntu-24_04-lts", "sku": "server"},
    "nodeAgentSKUId": "batch.node.ubuntu 24.04",
}


def pool_body(name: str = "p", **changes: Any) -> dict[str, Any]:
    return {"id": name, "vmSize": "STANDARD_D2s_v3", "virtualMachineConfiguration": MACHINE, **changes}


def job_body(name: str = "j", pool: str = "p", **changes: Any) -> dict[str, Any]:
    return {"id": name, "poolInfo": {"poolId": pool}, **changes}


def options(**values: str) -> Any:
    """Options that the SDK takes as a dictionary only, since it does not export their classes."""
    return values


def code_of(error: HttpResponseError) -> str | None:
    return error.error.code if error.error is not None else None


def sh(script: str) -> str:
    return f"/bin/sh -c '{script}'"


async def until(look: Callable[[], Awaitable[T]], wanted: Callable[[T], bool]) -> T:
    """Look again and again, with a limit, until what is seen is what is wanted."""
    with anyio.fail_after(LIMIT):
        while not wanted(seen := await look()):  # noqa: ASYNC110  # a service has no event to wait for
            await anyio.sleep(PAUSE)  # the other side is a service, which has no event to wait for
        return seen


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    reason: str
    headers: CIMultiDict[str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


class RawClient:
    """Signs and sends requests as they stand, and gives answers as they come."""

    def __init__(self, session: aiohttp.ClientSession, url: str, *, key: str = KEY) -> None:
        self.session = session
        self.url = url
        self._key = SharedKey(ACCOUNT, key)

    async def send(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        query: str = "",
        version: str | None = VERSION,
        headers: dict[str, str] | None = None,
    ) -> Answer:
        raw_query = "&".join(part for part in (f"api-version={version}" if version else "", query) if part)
        data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        sent = CIMultiDict(headers or {})
        sent.setdefault("ocp-date", times.http_date(times.now()))
        if data is not None:
            sent.setdefault("Content-Type", "application/json; odata=minimalmetadata")
        if "Authorization" not in sent:
            string = string_to_sign(
                method=method,
                resource=f"/{ACCOUNT}{path}",
                query=parse_query(raw_query),
                headers=sent,
                content_length=str(len(data)) if data else ("" if method in ("GET", "HEAD") else "0"),
            )
            sent["Authorization"] = f"SharedKey {ACCOUNT}:{self._key.sign(string)}"
        address = URL(f"{self.url}{path}?{raw_query}", encoded=True)
        async with self.session.request(
            method,
            address,
            data=io.BytesIO(data) if data else data,
            headers=sent,
            skip_auto_headers=("Content-Type",),
        ) as response:
            return Answer(
                response.status, response.reason or "", CIMultiDict(response.headers), await response.read()
            )

    async def get(self, path: str, query: str = "") -> Any:
        answer = await self.send("GET", path, query=query)
        assert answer.status == 200, answer.body
        return answer.json()

    async def post(self, path: str, body: Any = None) -> Answer:
        answer = await self.send("POST", path, body)
        assert answer.status < 300, answer.body
        return answer

    async def nodes(self, pool: str = "p") -> list[dict[str, Any]]:
        page = await self.get(f"/pools/{pool}/nodes")
        found: list[dict[str, Any]] = page["value"]
        return found

    async def nodes_in(self, state: str, count: int, pool: str = "p") -> list[dict[str, Any]]:
        return await until(
            lambda: self.nodes(pool), lambda nodes: sum(node["state"] == state for node in nodes) >= count
        )

    async def task_in(self, state: str, task: str = "t", job: str = "j") -> dict[str, Any]:
        return await until(lambda: self.get(f"/jobs/{job}/tasks/{task}"), lambda seen: seen["state"] == state)

    async def job_in(self, state: str, job: str = "j") -> dict[str, Any]:
        return await until(lambda: self.get(f"/jobs/{job}"), lambda seen: seen["state"] == state)

    async def gone(self, path: str) -> Answer:
        return await until(lambda: self.send("GET", path), lambda answer: answer.status == 404)

    async def stdout(self, task: str = "t", job: str = "j") -> str:
        answer = await self.send("GET", f"/jobs/{job}/tasks/{task}/files/stdout.txt")
        assert answer.status == 200, answer.body
        return answer.body.decode()
