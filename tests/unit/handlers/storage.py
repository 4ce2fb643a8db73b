"""A storage account in memory, with the part of its interface that downloads use."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import AsyncIterator

import anyio

from orchestrator.errors import ServiceError
from orchestrator.states import BlobSnapshot, TaskKey


class MemoryStorage:
    """Blobs by name, in one container; what it is told to do wrong, it does."""

    def __init__(self) -> None:
        self.blobs: dict[str, bytes] = {}
        self.told_size: dict[str, int] = {}
        self.told_md5: dict[str, bytes | None] = {}
        self.broken: set[str] = set()
        self.listing_broken = False
        self.gate: anyio.Event | None = None
        self.reading = 0
        self.most_reading = 0
        self.read: list[str] = []

    async def list_blobs(self, container: str, prefix: str) -> AsyncIterator[BlobSnapshot]:
        assert container == "outputs"
        await anyio.lowlevel.checkpoint()
        if self.listing_broken:
            raise ServiceError("no", operation="list blobs", status=403, code="AuthorizationFailure")
        for name in sorted(self.blobs):
            if name.startswith(prefix):
                yield self._snapshot(name)

    async def blob(self, container: str, name: str) -> BlobSnapshot | None:
        assert container == "outputs"
        await anyio.lowlevel.checkpoint()
        return self._snapshot(name) if name in self.blobs else None

    def _snapshot(self, name: str) -> BlobSnapshot:
        content = self.blobs[name]
        md5 = hashlib.md5(content).digest()
        return BlobSnapshot(
            name=name, size=self.told_size.get(name, len(content)), md5=self.told_md5.get(name, md5)
        )

    async def read_blob(self, container: str, name: str) -> AsyncIterator[bytes]:
        assert container == "outputs"
        self.reading += 1
        self.read.append(name)
        self.most_reading = max(self.most_reading, self.reading)
        try:
            await anyio.lowlevel.checkpoint()
            if self.gate is not None:
                await self.gate.wait()
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
