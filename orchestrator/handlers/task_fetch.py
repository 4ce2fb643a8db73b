"""Brings the files of one task to this disk."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from pathlib import Path
from typing import Protocol, TypeAlias

import anyio
import anyio.to_thread
import msgspec
import structlog

from orchestrator.errors import DownloadError, OrchestratorError
from orchestrator.events import DownloadFailed, OutputDownloaded, Publish, TaskCompleted, TaskFailed
from orchestrator.handlers import manifest
from orchestrator.handlers.expectations import TaskOutputs
from orchestrator.handlers.manifest import ManifestEntry, ManifestError, read_manifest
from orchestrator.handlers.output_patterns import compile_pattern
from orchestrator.handlers.result_files import PartialFile, TaskFolder
from orchestrator.limits import Limits
from orchestrator.spec.files import UploadBy
from orchestrator.states import BlobSnapshot, TaskKey

_log = structlog.get_logger()

FAILURE_FILE = "failure.json"
_LOGS = ("stderr.txt", "stdout.txt")
_WRITE_AT_ONCE = 1 << 20
_LARGEST_MANIFEST = 64 << 20


class OutputStorage(Protocol):
    """The part of `accounts.storage.StorageAccount` that brings outputs; it retries by itself."""

    def list_blobs(self, container: str, prefix: str) -> AsyncIterator[BlobSnapshot]:
        """The blobs whose names begin so."""

    async def blob(self, container: str, name: str) -> BlobSnapshot | None:
        """One blob, None if there is none."""

    def read_blob(self, container: str, name: str) -> AsyncIterator[bytes]:
        """The content of a blob, in pieces."""


ReadTaskFile: TypeAlias = Callable[[TaskKey, str], AsyncIterator[bytes]]
"""Reads a file of a task from its node, by its path in the task's folder."""


class TaskFetch:
    """Brings one task's files, checked, and notes what could not be brought.

    Args:
        event: the end of the task.
        folder: where its files go.
        storage: where its outputs are.
        container: the output container.
        wanted: what the task should have left.
        publish: for `OutputDownloaded` and `DownloadFailed`.
        limits: for `downloads` and `failure_log_bytes`.
        slots: one for each file that may be in flight, shared with the other tasks.
        read_task_file: reads the logs of a failed task from its node; None if that can't be done.

    Attributes:
        outputs: the files that are here.
        size: theirs together, in bytes.
        missing: (name, reason) of those that should be here.
    """

    def __init__(
        self,
        event: TaskCompleted,
        *,
        folder: TaskFolder,
        storage: OutputStorage,
        container: str,
        wanted: TaskOutputs,
        publish: Publish,
        limits: Limits,
        slots: anyio.Semaphore,
        read_task_file: ReadTaskFile | None,
    ) -> None:
        self.outputs: list[Path] = []
        self.size = 0
        self.missing: list[tuple[str, str]] = []
        self._event = event
        self._folder = folder
        self._storage = storage
        self._container = container
        self._wanted = wanted
        self._publish = publish
        self._limits = limits
        self._slots = slots
        self._read_task_file = read_task_file
        self._here: set[str] = set()

    async def run(self) -> None:
        """Bring everything; what fails is noted, not raised.

        Raises:
            OrchestratorError: storage does not say what there is.
        """
        manifest_blob = await self._manifest_blob()
        named = await self._bring_manifest(manifest_blob) if manifest_blob else None
        if named is None:
            blobs, named = await self._list(), {}
        else:
            blobs = await self._look_up(named)
        queue = iter(blobs.items())

        async def work() -> None:
            for path, blob in queue:  # shared by all: next() never awaits, so no file is taken twice
                await self._bring(path, blob, named.get(path))

        async with anyio.create_task_group() as group:
            for _ in range(min(self._limits.downloads, len(blobs))):
                group.start_soon(work)
        if isinstance(self._event, TaskFailed):
            await self._explain_failure(self._event)
            return
        for path in named:
            if path not in self._here and path not in blobs:
                self.missing.append((path, f"{manifest.NAME} names it, but it was not uploaded"))
        # A file that was there but could not be brought is missing already, under its own name.
        seen = self._here.union(name for name, _ in self.missing)
        for pattern in self._wanted.expected:
            if not any(map(compile_pattern(pattern).fullmatch, seen)):
                self.missing.append((pattern, "no file matched"))

    async def _list(self) -> dict[str, BlobSnapshot]:
        prefix = f"{self._event.key.task_id}/"
        blobs: dict[str, BlobSnapshot] = {}
        async for blob in self._storage.list_blobs(self._container, prefix):
            path = blob.name.removeprefix(prefix)
            if path == manifest.NAME and self._wanted.upload_by is UploadBy.TASK:
                continue  # it was looked at already, and could not be read
            try:
                blobs[self._folder.claim(path)] = blob
            except DownloadError as error:
                await self._failed(path, error)
        return blobs

    async def _manifest_blob(self) -> BlobSnapshot | None:
        """The manifest, for a task whose program uploads and has got as far as that."""
        if self._wanted.upload_by is not UploadBy.TASK:
            return None
        blob = await self._storage.blob(self._container, f"{self._event.key.task_id}/{manifest.NAME}")
        if blob is None and not isinstance(self._event, TaskFailed):
            self.missing.append((manifest.NAME, "the task's program uploaded none"))
        return blob

    async def _look_up(self, named: dict[str, ManifestEntry]) -> dict[str, BlobSnapshot]:
        """What the manifest names, and the logs, each by its own name.

        Not by listing: a listing shows some names otherwise than they are (a backslash as a slash), and
        fails altogether where one has a character that XML can't hold.
        """
        blobs: dict[str, BlobSnapshot] = {}
        for path in (*_LOGS, *named):
            blob = await self._storage.blob(self._container, f"{self._event.key.task_id}/{path}")
            if blob is None:
                continue  # one that the manifest names is told as missing at the end
            try:
                blobs[self._folder.claim(path)] = blob
            except DownloadError as error:
                await self._failed(path, error)
        return blobs

    async def _bring_manifest(self, blob: BlobSnapshot) -> dict[str, ManifestEntry] | None:
        """Bring the manifest before what it vouches for, so that a wrong file never gets its name.

        Returns:
            What it names; None where it can't be read, which is noted.
        """
        content = bytearray()
        try:
            async with self._slots:
                async for piece in _limited(
                    self._storage.read_blob(self._container, blob.name), _LARGEST_MANIFEST
                ):
                    content += piece
            # Read before it is checked: what is wrong in it says more than a wrong MD5.
            named = await anyio.to_thread.run_sync(read_manifest, bytes(content))
            path = self._folder.claim(manifest.NAME)
            saved = await self._save(path, _pieces(content), blob.size, _known(blob.md5))
        except (OrchestratorError, ManifestError) as error:
            await self._failed(manifest.NAME, error)
            return None
        await self._publish(saved)
        return named

    async def _bring(self, path: str, blob: BlobSnapshot, entry: ManifestEntry | None) -> None:
        try:
            async with self._slots:
                md5s = (*_known(blob.md5), *_known(entry.digest() if entry is not None else None))
                pieces = self._storage.read_blob(self._container, blob.name)
                # Where the two sizes differ, what comes is as long as the blob, and is refused.
                size = blob.size if entry is None else entry.size
                saved = await self._save(path, pieces, size, md5s)
        except OrchestratorError as error:
            await self._failed(path, error)
        else:
            await self._publish(saved)

    async def _save(
        self, path: str, pieces: AsyncIterator[bytes], size: int | None, md5s: tuple[bytes, ...]
    ) -> OutputDownloaded:
        partial = self._folder.create(path)
        try:
            rest = await _write_all_but_the_end(partial, pieces)
            target, written = await anyio.to_thread.run_sync(_finish, partial, rest, size, md5s)
        finally:
            if not partial.ended:
                with anyio.CancelScope(shield=True):
                    await anyio.to_thread.run_sync(partial.discard)
        self._here.add(path)
        self.outputs.append(target)
        self.size += written
        return OutputDownloaded(run_id=self._event.run_id, key=self._event.key, path=target, size=written)

    async def _explain_failure(self, event: TaskFailed) -> None:
        """Bring the logs from the node where they were not uploaded, or else say what the service says."""
        for name in _LOGS:
            if not self._folder.has(name):
                await self._bring_log(event.key, name)
        if event.exit_code is not None and self._here.intersection(_LOGS):
            return
        if self._folder.has(FAILURE_FILE):
            return
        content = bytearray(_failure_json(event))
        try:
            saved = await self._save(self._folder.claim(FAILURE_FILE), _pieces(content), None, ())
        except OrchestratorError as error:
            await self._failed(FAILURE_FILE, error)
        else:
            await self._publish(saved)

    async def _bring_log(self, key: TaskKey, name: str) -> None:
        if self._read_task_file is None:
            return
        pieces = _limited(self._read_task_file(key, name), self._limits.failure_log_bytes)
        try:
            async with self._slots:
                saved = await self._save(self._folder.claim(name), pieces, None, ())
        except OrchestratorError as error:
            # The node may be gone, or never have had the file: `failure.json` is what is left then.
            _log.info("download.no_log", job=key.job_id, task=key.task_id, file=name, error=str(error))
        else:
            await self._publish(saved)

    async def _failed(self, path: str, error: Exception) -> None:
        reason = str(error).removeprefix(f"{path}: ")
        self.missing.append((path, reason))
        await self._publish(
            DownloadFailed(run_id=self._event.run_id, key=self._event.key, name=path, reason=reason)
        )


async def _write_all_but_the_end(partial: PartialFile, pieces: AsyncIterator[bytes]) -> list[bytes]:
    """Write in a thread, by the megabyte, since each change of thread costs as much as a small file.

    Returns:
        What is left to be written: all of a small file, to be written and finished in one go.
    """
    held: list[bytes] = []
    size = 0
    try:
        async for piece in pieces:
            held.append(piece)
            size += len(piece)
            if size >= _WRITE_AT_ONCE:
                await anyio.to_thread.run_sync(partial.write, held)
                held, size = [], 0
    finally:
        if isinstance(pieces, AsyncGenerator):
            await pieces.aclose()
    return held


def _finish(
    partial: PartialFile, rest: list[bytes], size: int | None, md5s: tuple[bytes, ...]
) -> tuple[Path, int]:
    partial.write(rest)
    return partial.finish(size, md5s)


async def _pieces(content: bytearray) -> AsyncIterator[bytes]:
    yield bytes(content)


async def _limited(pieces: AsyncIterator[bytes], limit: int) -> AsyncIterator[bytes]:
    try:
        async for piece in pieces:
            yield piece[:limit]
            limit -= len(piece)
            if limit <= 0:
                return
    finally:
        if isinstance(pieces, AsyncGenerator):
            await pieces.aclose()


def _known(md5: bytes | None) -> tuple[bytes, ...]:
    return () if md5 is None else (md5,)


def _failure_json(event: TaskFailed) -> bytes:
    failure = event.failure
    told = {
        "code": failure.code if failure else None,
        "category": failure.category if failure else None,
        "message": failure.message if failure else None,
        "details": dict(failure.details) if failure else {},
        "exit_code": event.exit_code,
    }
    return msgspec.json.format(msgspec.json.encode(told), indent=2) + b"\n"
