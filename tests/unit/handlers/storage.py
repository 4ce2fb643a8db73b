"""A storage account in memory, with the part of its interface that downloads use."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing

import anyio

from orchestrator.errors import NotFoundError, ServiceError
from orchestrator.handlers.task_fetch import Take
from orchestrator.states import BlobSnapshot, TaskKey


class MemoryStorage:
    """Blobs by name, in one container; what it is told to do wrong, it does."""

    def __init__(self) -> None:
        self.blobs: dict[str, bytes] = {}
        self.told_size: dict[str, int] = {}
        self.told_md5: dict[str, bytes | None] = {}
        self.broken: set[str] = set()
        self.listing_broken = ""
        self.gone = False
        self.gate: anyio.Event | None = None
        self.reading = 0
        self.most_reading = 0
        self.read: list[str] = []
        self.listed: list[str] = []

    async def list_blobs(self, container: str, prefix: str) -> AsyncGenerator[BlobSnapshot, None]:
        assert container == "outputs"
        self.listed.append(prefix)
        await anyio.lowlevel.checkpoint()
        if self.listing_broken:
            raise ServiceError("no", operation="list blobs", status=403, code=self.listing_broken)
        for name in sorted(self.blobs):
            if name.startswith(prefix):
                yield self.snapshot(name)

    async def blob(self, container: str, name: str) -> BlobSnapshot | None:
        await anyio.lowlevel.checkpoint()
        return self.snapshot(name) if name in self.blobs else None

    def download(self, container: str, name: str) -> MemoryBlob:
        return MemoryBlob(self, container, name)

    def snapshot(self, name: str) -> BlobSnapshot:
        content = self.blobs[name]
        md5 = hashlib.md5(content).digest()
        return BlobSnapshot(
            name=name, size=self.told_size.get(name, len(content)), md5=self.told_md5.get(name, md5)
        )

    async def read_blob(self, container: str, name: str) -> AsyncGenerator[bytes, None]:
        assert container == "outputs"
        self.reading += 1
        self.read.append(name)
        self.most_reading = max(self.most_reading, self.reading)
        try:
            await anyio.lowlevel.checkpoint()
            if self.gate is not None:
                await self.gate.wait()
            if self.gone or name not in self.blobs:
                code = "ContainerNotFound" if self.gone else "BlobNotFound"
                raise NotFoundError("none", operation="read blob", status=404, code=code)
            content = self.blobs[name]
            for start in range(0, len(content), 700_000):
                yield content[start : start + 700_000]
                await anyio.lowlevel.checkpoint()
            if name in self.broken:
                raise ServiceError("gone", operation="read blob", status=404, code="BlobNotFound")
        finally:
            self.reading -= 1

    def put(self, task: str, path: str, content: bytes = b"content") -> None:
        self.blobs[f"{task}/{path}"] = content

    def put_manifest(self, task: str, paths: list[str]) -> None:
        files = [
            {
                "path": path,
                "size": len(self.blobs[f"{task}/{path}"]),
                "md5": base64.b64encode(hashlib.md5(self.blobs[f"{task}/{path}"]).digest()).decode(),
            }
            for path in paths
        ]
        self.put(task, "manifest.json", json.dumps({"version": 1, "files": files}).encode())


class MemoryBlob:
    """A blob on its way; it is found with its first piece."""

    def __init__(self, storage: MemoryStorage, container: str, name: str) -> None:
        self.found: BlobSnapshot | None = None
        self._storage = storage
        self._container = container
        self._name = name

    async def bring(self, take: Take) -> None:
        async with aclosing(self._storage.read_blob(self._container, self._name)) as pieces:
            async for piece in pieces:
                self.found = self._storage.snapshot(self._name)
                await take(piece)


class NodeFiles:
    """Files on the nodes, by task and path."""

    def __init__(self, files: dict[tuple[str, str], bytes]) -> None:
        self.files = files
        self.asked: list[tuple[str, str]] = []

    async def read(self, key: TaskKey, path: str) -> AsyncIterator[bytes]:
        self.asked.append((key.task_id, path))
        await anyio.lowlevel.checkpoint()
        content = self.files.get((key.task_id, path))
        if content is None:
            raise ServiceError("no file", operation="read file", status=404, code="FileNotFound")
        for start in range(0, len(content), 10):
            yield content[start : start + 10]
