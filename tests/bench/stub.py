"""A Batch endpoint that answers as fast as Python can, in a process of its own: what is left is the client's.

    python -m tests.bench.stub [--delay SECONDS] [--faults SHARE]

It prints its port. `GET /bench/stats` tells what it saw, `POST /bench/reset` forgets it and starts the clock
of the changing job.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import random
import sys
from collections import Counter
from functools import cache
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec

from tests.bench.tasks import JOB_SIZE, TICK, changed_since, task_page

_HEAD = b"HTTP/1.1 %d OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n%s\r\n"
_RESULT = (
    '{"status":"Success","taskId":%s,"eTag":"0x8DA90613C3D2F41","lastModified":'
    '"2022-09-06T23:45:29.9954813Z","location":"https://acc.region.batch.azure.com/jobs/j/tasks/t"}'
)
_EXISTS = '{"status":"clienterror","taskId":%s,"error":{"code":"TaskExists"}}'


class _Task(msgspec.Struct):
    id: str


class _Collection(msgspec.Struct):
    value: list[_Task]


_COLLECTION = msgspec.json.Decoder(_Collection)


class Service:
    """What all connections share."""

    def __init__(self, delay: float, faults: float) -> None:
        self.delay = delay
        self.faults = faults
        self.reset()

    def reset(self) -> None:
        self.random = random.Random(20)
        self.accepted: Counter[str] = Counter()
        self.requests = 0
        self.refused = 0
        self.looks = 0
        self.sent = 0
        self.began = asyncio.get_running_loop().time()

    def stats(self) -> bytes:
        return msgspec.json.encode(
            {
                "accepted": len(self.accepted),
                "twice": sum(count > 1 for count in self.accepted.values()),
                "requests": self.requests,
                "refused": self.refused,
                "looks": self.looks,
                "sent": self.sent,
            }
        )

    def add(self, body: bytes) -> bytes:
        ids = [task.id for task in _COLLECTION.decode(body).value]
        results = []
        for task_id in ids:
            if self.faults and task_id in self.accepted:
                results.append(_EXISTS % f'"{task_id}"')
                continue
            self.accepted[task_id] += 1
            results.append(_RESULT % f'"{task_id}"')
        return ('{"value":[' + ",".join(results) + "]}").encode()

    def fault(self) -> str | None:
        if not self.faults or self.random.random() >= self.faults:
            return None
        self.refused += 1
        return self.random.choice(["429", "503", "reset", "lost"])

    def tasks(self, query: dict[str, list[str]]) -> bytes:
        skip = int(query.get("$skiptoken", ["0"])[0])
        size = int(query.get("maxresults", ["1000"])[0])
        select = query.get("$select", [""])[0]
        tick = int((asyncio.get_running_loop().time() - self.began) / TICK)
        wanted = query.get("$filter", [None])[0]
        if wanted is not None:
            self.looks += skip == 0
            return changed_since(wanted, tick, skip=skip, size=size, select=select)
        return _cached_page(skip, min(size, JOB_SIZE - skip), select)


@cache
def _cached_page(skip: int, size: int, select: str) -> bytes:
    return task_page(range(skip, skip + size), total=JOB_SIZE, skip=skip, select=select)


async def serve(service: Service, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            line, *headers = head.split("\r\n")
            length = next(
                (int(one.partition(":")[2]) for one in headers if one.lower().startswith("content-length:")),
                0,
            )
            body = await reader.readexactly(length) if length else b""
            method, target, _ = line.split(" ")
            if not await answer(service, writer, method, target, body):
                writer.transport.abort()
                return


async def answer(
    service: Service, writer: asyncio.StreamWriter, method: str, target: str, body: bytes
) -> bool:
    """One request; False to break the connection."""
    parts = urlsplit(target)
    status, extra = 200, b""
    if parts.path == "/bench/reset":
        service.reset()
        told = b""
    elif parts.path == "/bench/stats":
        told = service.stats()
    else:
        service.requests += 1
        if service.delay:
            await asyncio.sleep(service.delay)
        fault = service.fault()
        if fault == "reset":
            return False
        if fault in ("429", "503"):
            status, extra = int(fault), b"Retry-After: 0.05\r\n"
            told = msgspec.json.encode({"code": "TooManyRequests" if status == 429 else "ServerBusy"})
        elif method == "POST":
            told = service.add(body)
            if fault == "lost":  # carried out, and nobody is told
                return False
        elif parts.path.endswith("/taskcounts"):
            counts = {"active": len(service.accepted), "running": 0, "completed": 0}
            told = msgspec.json.encode({"taskCounts": {**counts, "succeeded": 0, "failed": 0}})
        elif parts.path.endswith("/tasks"):
            told = service.tasks(parse_qs(parts.query))
        else:
            told = b'{"id":"j","state":"active"}'
        service.sent += len(told)
    writer.write(_HEAD % (status, len(told), extra) + told)
    await writer.drain()
    return True


async def main(arguments: Any) -> None:
    """Serve until the parent closes our input."""
    service = Service(arguments.delay, arguments.faults)
    server = await asyncio.start_server(
        lambda reader, writer: serve(service, reader, writer), "127.0.0.1", 0, limit=4 << 20
    )
    print(server.sockets[0].getsockname()[1], flush=True)
    loop = asyncio.get_running_loop()
    await loop.run_in_executor(None, sys.stdin.read)
    server.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--delay", type=float, default=0.0)
    parser.add_argument("--faults", type=float, default=0.0)
    asyncio.run(main(parser.parse_args()))
