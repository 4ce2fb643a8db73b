"""Brings the files of one task to this disk."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from pathlib import Path
from typing import Protocol, TypeAlias

import anyio
import anyio.lowlevel
import anyio.to_thread
import structlog

from orchestrator.errors import DownloadError, NotFoundError, OrchestratorError
from orchestrator.events import DownloadFailed, OutputDownloaded, Publish, TaskCompleted, TaskFailed
from orchestrator.file_threads import FileThreads
from orchestrator.handlers import manifest
from orchestrator.handlers.arrival import FileArrival, KeptFiles
from orchestrator.handlers.brought_before import BroughtBefore, Looking
from orchestrator.handlers.expectations import TaskOutputs
from orchestrator.handlers.failure_file import FAILURE_FILE, failure_json
from orchestrator.handlers.manifest import ManifestEntry, ManifestError, read_manifest
from orchestrator.handlers.output_patterns import compile_pattern
from orchestrator.handlers.result_files import TaskFolder
from orchestrator.handlers.running_logs import LOGS, limited
from orchestrator.handlers.task_listing import Listing, TaskListing
from orchestrator.limits import Limits
from orchestrator.spec.files import KeepLogs, UploadBy
from orchestrator.states import BlobSnapshot, TaskKey

_log = structlog.get_logger()

_ABSENT = "BlobNotFound"  # another 404 says that the whole container is gone
_CLAIMED_TOGETHER = 250  # in one turn of the loop
_READ_HERE = 16 << 10
"""Up to this size a manifest is decoded in less time than a change of thread takes."""
_Told: TypeAlias = tuple[int | None, tuple[bytes, ...]]
"""The size that a file must have, if somebody knows it, and the MD5s that somebody has told."""
Take: TypeAlias = Callable[[bytes | memoryview], Awaitable[None]]
"""Takes the pieces of a file, in order."""


class Arriving(Protocol):
    """A blob on its way here; see `accounts.download.BlobDownload`."""

    @property
    def found(self) -> BlobSnapshot | None:
        """What the service has said of the blob, from the first piece on."""

    async def bring(self, take: Take) -> None:
        """Bring the content, which nobody has compared with its size and MD5 yet, piece by piece."""


class OutputStorage(Looking, Listing, Protocol):
    """The part of `accounts.storage.StorageAccount` that brings outputs; it retries by itself."""

    def download(self, container: str, name: str) -> Arriving:
        """A blob on its way here."""


ReadTaskFile: TypeAlias = Callable[[TaskKey, str], AsyncIterator[bytes]]
"""Reads a file of a task from its node, by its path in the task's folder."""


class TaskFetch:
    """Brings one task's files, checked, and notes what could not be brought.

    Args:
        event: the end of the task.
        folder: where its files go.
        storage: where its outputs are.
        container: the output container.
        listing: of that container, shared with the other tasks.
        wanted: what the task should have left.
        publish: for `OutputDownloaded` and `DownloadFailed`.
        limits: for `downloads` and `failure_log_bytes`.
        slots: one for each file that may be in flight, shared with the other tasks.
        threads: for the disk, shared as well.
        read_task_file: reads the logs of a failed task from its node; None if that can't be done.
        before: what was here before the program of this run died; None for a run that was not taken up.

    Attributes:
        outputs: the files that are here.
        size: theirs together, in bytes.
        untold: of the last ones: to be told with the end of all, since each telling is a write to a journal.
        missing: (name, reason) of those that should be here.
    """

    def __init__(
        self,
        event: TaskCompleted,
        *,
        folder: TaskFolder,
        storage: OutputStorage,
        container: str,
        listing: TaskListing,
        wanted: TaskOutputs,
        publish: Publish,
        limits: Limits,
        slots: anyio.Semaphore,
        threads: FileThreads,
        read_task_file: ReadTaskFile | None,
        before: BroughtBefore | None = None,
    ) -> None:
        self._before = before
        self.outputs: list[Path] = []
        self.size = 0
        self.untold: list[OutputDownloaded] = []
        self.missing: list[tuple[str, str]] = []
        self._event = event
        self._folder = folder
        self._storage = storage
        self._container = container
        self._listing = listing
        self._wanted = wanted
        self._publish = publish
        self._limits = limits
        self._slots = slots
        self._threads = threads
        self._read_task_file = read_task_file
        self._kept = KeptFiles(folder, threads)
        self._here: set[str] = set()
        self._absent: set[str] = set()

    async def run(self) -> None:
        """Bring everything; what fails is noted, not raised.

        Raises:
            OrchestratorError: storage does not say what there is.
        """
        try:
            await self._run()
        finally:
            self._folder.close()

    async def _run(self) -> None:
        named: dict[str, ManifestEntry] = {}
        if self._wanted.upload_by is UploadBy.TASK:
            vouched = await self._bring_manifest()
            blobs = await self._list() if vouched is None else await self._claim(vouched)
            named = vouched or named
        elif self._wanted.names is not None:
            blobs = await self._claim(self._wanted.names)
        else:
            blobs = await self._list()
        try:
            await self._bring_all(blobs, named)
        except BaseException:
            # What came is brought, even where the rest is given up.
            await self._tell_kept()
            raise
        if isinstance(self._event, TaskFailed):
            await self._tell_kept()  # the node that has the rest may be long in answering
            await self._explain_failure(self._event)
            return
        self.untold = self._news(await self._finish_kept())
        for path in named:
            if path in self._absent:
                self.missing.append((path, f"{manifest.NAME} names it, but it was not uploaded"))
        # A file that was there but could not be brought is missing already, under its own name.
        seen = self._here.union(name for name, _ in self.missing)
        for pattern in self._wanted.expected:
            if not any(map(compile_pattern(pattern).fullmatch, seen)):
                self.missing.append((pattern, "no file matched"))

    async def _bring_all(
        self, blobs: Mapping[str, BlobSnapshot | None], named: Mapping[str, ManifestEntry]
    ) -> None:
        queue, left = iter(blobs.items()), len(blobs)

        async def work() -> None:
            nonlocal left
            for path, blob in queue:  # shared by all: next() never awaits, so no file is taken twice
                left -= 1
                # With many tasks at once there is no place for another file of this one.
                if left and self._slots.value > 1:
                    group.start_soon(work)
                await self._bring(path, blob, named.get(path))

        async with anyio.create_task_group() as group:
            await work()

    async def _list(self) -> dict[str, BlobSnapshot | None]:
        prefix = f"{self._event.key.task_id}/"
        blobs: dict[str, BlobSnapshot | None] = {}
        for place, blob in enumerate(await self._listing.of(self._event.key.task_id), 1):
            if place % _CLAIMED_TOGETHER == 0:
                await anyio.lowlevel.checkpoint()
            path = blob.name.removeprefix(prefix)
            if path == manifest.NAME and self._wanted.upload_by is UploadBy.TASK:
                continue  # it was looked at already, and could not be read
            try:
                blobs[self._folder.claim(path)] = blob
            except DownloadError as error:
                await self._failed(path, error)
        return blobs

    async def _claim(self, names: Iterable[str]) -> dict[str, BlobSnapshot | None]:
        """The logs and what is known by name, each to be asked for by it: what is not there is absent.

        Not by listing: that is a request more, shows some names otherwise than they are (a backslash as a
        slash), and fails altogether where one has a character that XML can't hold.
        """
        blobs: dict[str, BlobSnapshot | None] = {}
        logs = LOGS if self._wanted.logs is KeepLogs.ALWAYS or isinstance(self._event, TaskFailed) else ()
        for path in (*logs, *names):
            try:
                blobs[self._folder.claim(path)] = None
            except DownloadError as error:
                await self._failed(path, error)
        return blobs

    async def _bring_manifest(self) -> dict[str, ManifestEntry] | None:
        """Bring the manifest before what it vouches for, so that a wrong file never gets its name.

        Returns:
            What it names; None where there is none or it can't be read, which is noted.
        """
        content = bytearray()
        arriving = self._arriving(manifest.NAME)
        try:
            async with self._slots:
                await arriving.bring(manifest.gather(content))
            # Read before it is checked: what is wrong in it says more than a wrong MD5.
            if len(content) <= _READ_HERE:
                named = read_manifest(bytes(content))
            else:
                named = await anyio.to_thread.run_sync(read_manifest, bytes(content))
            path = self._folder.claim(manifest.NAME)
            saved = await self._save(path, _all_of(content), lambda: _told(arriving.found, None))
        except NotFoundError as error:
            if error.code != _ABSENT:
                await self._failed(manifest.NAME, error)
            elif not isinstance(self._event, TaskFailed):
                self.missing.append((manifest.NAME, "the task's program uploaded none"))
            return None
        except (OrchestratorError, ManifestError) as error:
            await self._failed(manifest.NAME, error)
            return None
        await self._tell(saved)
        return named

    def _arriving(self, path: str) -> Arriving:
        return self._storage.download(self._container, f"{self._event.key.task_id}/{path}")

    async def _bring(self, path: str, blob: BlobSnapshot | None, entry: ManifestEntry | None) -> None:
        arriving = self._arriving(path)
        try:
            if blob is not None and blob.size == 0:
                # stderr as a rule, and a fifth of the requests
                saved = await self._save(path, _all_of(bytearray()), lambda: _told(blob, entry), keep=True)
            else:
                async with self._slots:
                    saved = await self._save(
                        path, arriving.bring, lambda: _told(arriving.found, entry), keep=True
                    )
        except NotFoundError as error:
            if blob is None and error.code == _ABSENT:
                self._absent.add(path)  # one that the manifest names is told as missing at the end
            else:
                await self._failed(path, error)
        except OrchestratorError as error:
            await self._failed(path, error)
        else:
            await self._tell(saved)
            if self._kept.full:
                await self._tell_kept()

    async def _save(
        self,
        path: str,
        bring: Callable[[Take], Awaitable[None]],
        told: Callable[[], _Told],
        *,
        keep: bool = False,
    ) -> OutputDownloaded | None:
        """Bring a file; with `keep` a small one is kept to be written with others, and None returned."""
        written = await self._before.size(path) if self._before is not None else None
        if written is None:
            written = await self._bring_new(path, bring, told, keep=keep)
        return None if written is None else self._saved(path, written)

    def _saved(self, path: str, written: int) -> OutputDownloaded:
        target = self._folder.path / path
        self._here.add(path)
        self.outputs.append(target)
        self.size += written
        return OutputDownloaded(run_id=self._event.run_id, key=self._event.key, path=target, size=written)

    async def _bring_new(
        self, path: str, bring: Callable[[Take], Awaitable[None]], told: Callable[[], _Told], *, keep: bool
    ) -> int | None:
        arrival = FileArrival(path, self._folder, self._threads)
        try:
            await bring(arrival.take)
            size, md5s = told()
            if keep and self._kept.keep(arrival, size, md5s):
                return None
            return await arrival.finish(size, md5s)
        finally:
            await arrival.discard()

    async def _tell_kept(self) -> None:
        with anyio.CancelScope(shield=True):
            await self._tell(*await self._finish_kept())

    async def _finish_kept(self) -> list[OutputDownloaded]:
        """Write the small files that came; gives those that are here now."""
        saved: list[OutputDownloaded] = []
        with anyio.CancelScope(shield=True):
            for path, came in await self._kept.finish():
                if isinstance(came, DownloadError):
                    await self._failed(path, came)
                else:
                    saved.append(self._saved(path, came))
        return saved

    async def _tell(self, *saved: OutputDownloaded | None) -> None:
        if news := self._news(saved):
            await self._publish(*news)

    def _news(self, saved: Iterable[OutputDownloaded | None]) -> list[OutputDownloaded]:
        known = self._before.was_told if self._before is not None else lambda _: False
        return [one for one in saved if one is not None and not known(one.path)]

    async def _explain_failure(self, event: TaskFailed) -> None:
        """Bring the logs from the node where they were not uploaded, or else say what the service says."""
        for name in LOGS:
            if name in self._absent or not self._folder.has(name):
                await self._bring_log(event.key, name)
        if event.exit_code is not None and self._here.intersection(LOGS):
            return
        if FAILURE_FILE not in self._absent and self._folder.has(FAILURE_FILE):
            return
        content = bytearray(failure_json(event))
        try:
            saved = await self._save(self._folder.claim(FAILURE_FILE), _all_of(content), _nobody_told)
        except OrchestratorError as error:
            await self._failed(FAILURE_FILE, error)
        else:
            await self._tell(saved)

    async def _bring_log(self, key: TaskKey, name: str) -> None:
        if self._read_task_file is None:
            return
        pieces = limited(self._read_task_file(key, name), self._limits.failure_log_bytes)
        try:
            async with self._slots:
                saved = await self._save(self._folder.claim(name), _all_from(pieces), _nobody_told)
        except OrchestratorError as error:
            # The node may be gone, or never have had the file: `failure.json` is what is left then.
            _log.info("download.no_log", job=key.job_id, task=key.task_id, file=name, error=str(error))
        else:
            await self._tell(saved)

    async def _failed(self, path: str, error: Exception) -> None:
        reason = str(error).removeprefix(f"{path}: ")
        self.missing.append((path, reason))
        await self._publish(
            DownloadFailed(run_id=self._event.run_id, key=self._event.key, name=path, reason=reason)
        )


def _all_of(content: bytearray) -> Callable[[Take], Awaitable[None]]:
    return lambda take: take(bytes(content))


def _all_from(pieces: AsyncIterator[bytes]) -> Callable[[Take], Awaitable[None]]:
    async def bring(take: Take) -> None:
        async for piece in pieces:
            await take(piece)

    return bring


def _told(found: BlobSnapshot | None, entry: ManifestEntry | None) -> _Told:
    """The size and MD5s that a file must have, from the blob itself and from the manifest."""
    if entry is None:
        return (None, ()) if found is None else (found.size, _known(found.md5))
    # Where the two sizes differ, what came is as long as the blob, and is refused.
    return entry.size, (entry.digest(), *(_known(found.md5) if found is not None else ()))


def _nobody_told() -> _Told:
    return None, ()


def _known(md5: bytes | None) -> tuple[bytes, ...]:
    return () if md5 is None else (md5,)
