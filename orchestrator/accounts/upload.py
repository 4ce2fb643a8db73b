"""Brings a file or bytes into a block blob: in one plain request while they are few, else in blocks.

Each request carries the MD5 of what it sends, which the service checks, and which spares Azurite a slow sum
of its own (three times faster, measured). Files are read and hashed in threads, a tiny one with a single
change of thread; a few blocks are under way at a time, each with retries of its own.
"""

from __future__ import annotations

import hashlib
import io
import mmap
import os
from base64 import b64encode
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Final

import anyio
import anyio.to_thread
import msgspec
from anyio.abc import TaskGroup

from orchestrator.accounts.budget import TransferBudget
from orchestrator.accounts.direct import DirectBlobs
from orchestrator.errors import OrchestratorError, StagingError

SINGLE_PUT: Final = 4 * 1024 * 1024
"""Up to this size a blob is written in one request."""
_TINY: Final = 64 * 1024
"""Up to this size a file is read with the change of thread that opens it, before memory is asked for."""
_MOST_BLOCKS: Final = 50_000
_BLOCKS_AT_ONCE: Final = 4
_ID_DIGITS: Final = 8
_HUGE: Final[int | None] = getattr(mmap, "MADV_HUGEPAGE", None)


class FileVersion(msgspec.Struct, frozen=True, kw_only=True):
    """What the system says of a file that changes whenever its content does.

    A change of a file that is mapped into some program's memory may show only seconds later.

    Args:
        size: in bytes.
        modified_ns: when it was last changed, in nanoseconds since the epoch.
    """

    size: int
    modified_ns: int


def version_of(status: os.stat_result) -> FileVersion:
    """The version of the file that was looked at."""
    return FileVersion(size=status.st_size, modified_ns=status.st_mtime_ns)


class BlobUpload:
    """One blob on its way.

    Args:
        direct: makes the requests.
        container: of the blob.
        blob: its name; one that is there is overwritten.
        persist: carries out a request with retries.
        block_size: of one block, where blocks are needed.
        budget: what is read waits in it until it is sent.
    """

    def __init__(
        self,
        direct: DirectBlobs,
        container: str,
        blob: str,
        *,
        persist: Callable[[Callable[[], Awaitable[object]]], Awaitable[object]],
        block_size: int,
        budget: TransferBudget,
    ) -> None:
        self._direct = direct
        self._container = container
        self._blob = blob
        self._persist = persist
        self._block_size = block_size
        self._budget = budget

    async def memory(self, data: bytes, *, md5: bytes | None = None) -> None:
        """Write what is in memory.

        Args:
            data: the content.
            md5: of it, where it is known.

        Raises:
            ServiceError: the service refused, for example since the content has another MD5.
            UnreachableError: no answer came.
        """
        known = md5 if md5 is not None else await _hashed(data)
        if len(data) <= SINGLE_PUT:
            await self._put(data, known)
        else:
            sums = _Sums(md5=known)
            await self._write_blocks(io.BytesIO(data), size=len(data), sums=sums, path="(memory)")

    async def file(self, path: Path, *, md5: bytes | None, version: FileVersion | None = None) -> bytes:
        """Write a file.

        Args:
            path: of the file.
            md5: that it had when it was hashed, if it was.
            version: that it must have from the first to the last byte.

        Returns:
            The MD5 of what was sent.

        Raises:
            StagingError: it can't be read, or is no longer what it was.
            ServiceError: the service refused.
            UnreachableError: no answer came.
        """
        sums = _Sums(md5=md5, version=version)
        try:
            source, size, tiny = await anyio.to_thread.run_sync(_open, path, sums)
        except OSError as unreadable:
            raise StagingError(unreadable.strerror or "can't be read", path=str(path)) from unreadable
        if tiny is not None:
            sums.add(tiny)
            found = sums.checked(str(path))
            await self._put(tiny, found)
            return found
        with source:
            if size <= SINGLE_PUT:
                return await self._put_file(source, size=size, sums=sums, path=str(path))
            return await self._write_blocks(source, size=size, sums=sums, path=str(path))

    async def _put_file(self, source: BinaryIO, *, size: int, sums: _Sums, path: str) -> bytes:
        async with self._budget.held(size):
            data, _ = await self._read(source, SINGLE_PUT + 1, path=path, sums=sums)
            found = sums.checked(path)
            await self._put(bytes(data), found)
            return found

    async def _put(self, data: bytes, md5: bytes) -> None:
        await self._persist(lambda: self._direct.put(self._container, self._blob, data, md5=md5))

    async def _write_blocks(self, source: BinaryIO, *, size: int, sums: _Sums, path: str) -> bytes:
        ids = await self._put_blocks(source, size=size, sums=sums, path=path)
        md5 = sums.checked(path)
        await self._persist(lambda: self._direct.put_blocks(self._container, self._blob, ids, md5=md5))
        return md5

    async def _put_blocks(self, source: BinaryIO, *, size: int, sums: _Sums, path: str) -> list[str]:
        block_size = max(self._block_size, -(-size // _MOST_BLOCKS))
        slots = anyio.Semaphore(_BLOCKS_AT_ONCE)
        ids: list[str] = []
        failures: list[OrchestratorError] = []

        async def send(block_id: str, data: memoryview, md5: bytes, taken: int) -> None:
            try:
                with _kept(failures, group):
                    await self._put_block(block_id, data, md5)
                    slots.release()
            finally:
                self._budget.give_back(taken)

        async with anyio.create_task_group() as group:
            with _kept(failures, group):
                while True:
                    await slots.acquire()
                    # Before reading: what is read waits in memory.
                    taken = await self._budget.take(block_size)
                    try:
                        data, md5 = await self._read(source, block_size, path=path, sums=sums)
                    except BaseException:
                        self._budget.give_back(taken)
                        raise
                    if not data:
                        self._budget.give_back(taken)
                        break
                    ids.append(b64encode(f"{len(ids):0{_ID_DIGITS}}".encode()).decode())
                    group.start_soon(send, ids[-1], data, md5, taken)
                    del data
        if failures:
            raise failures[0]
        return ids

    async def _put_block(self, block_id: str, data: memoryview, md5: bytes) -> None:
        await self._persist(
            lambda: self._direct.put_block(self._container, self._blob, block_id, data, md5=md5)
        )

    async def _read(
        self, source: BinaryIO, length: int, *, path: str, sums: _Sums
    ) -> tuple[memoryview, bytes]:
        try:
            return await anyio.to_thread.run_sync(_read_block, source, length, sums)
        except OSError as unreadable:
            raise StagingError(unreadable.strerror or "can't be read", path=path) from unreadable


class _Sums:
    """The MD5 of a content while it is read for sending, and whether it is what it was before."""

    def __init__(self, *, md5: bytes | None, version: FileVersion | None = None) -> None:
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._told = md5
        self._version = version
        self._changed = False

    def add(self, data: bytes | memoryview) -> None:
        self._md5.update(data)

    def seen(self, source: BinaryIO) -> None:
        """Compare the file as it is now: when it was opened, and again when its end was read."""
        if self._version is not None and version_of(os.fstat(source.fileno())) != self._version:
            self._changed = True

    def checked(self, path: str) -> bytes:
        """The MD5 of all of it.

        Raises:
            StagingError: it is not what it was before.
        """
        found = self._md5.digest()
        if self._changed or self._told not in {None, found}:
            told = "changed while it was being staged: run again when nothing writes it"
            raise StagingError(told, path=path)
        return found


@contextmanager
def _kept(failures: list[OrchestratorError], group: TaskGroup) -> Iterator[None]:
    # The caller is to get the first error itself, not a group of one; the other blocks need not go on.
    try:
        yield
    except OrchestratorError as failure:
        failures.append(failure)
        group.cancel_scope.cancel()


def _open(path: Path, sums: _Sums) -> tuple[BinaryIO, int, bytes | None]:
    """The open file, its size, and all of its content if it is tiny: then the file is closed again."""
    source = path.open("rb")
    try:
        sums.seen(source)
        size = os.fstat(source.fileno()).st_size
        if size <= _TINY:
            with source:
                content = source.read(_TINY + 1)
                sums.seen(source)
                return source, size, content
    except BaseException:
        source.close()
        raise
    return source, size, None


def _read_block(source: BinaryIO, length: int, sums: _Sums) -> tuple[memoryview, bytes]:
    view = _buffer(length)
    size = 0
    while size < length and (count := source.readinto(view[size:])):  # type: ignore[attr-defined]
        size += count
    data = view[:size]
    sums.add(data)
    if size < length:
        sums.seen(source)
    return data, _md5(data)


def _buffer(size: int) -> memoryview:
    """Memory for a block that goes back to the system as soon as nobody has it any more.

    What comes from the heap in this size stays with the process, scattered: twice as much as was ever in use
    at a time. Huge pages, where the system has them, are a fifth of the work of making it (both measured).
    """
    pages = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    if _HUGE is not None:
        with suppress(OSError):  # a kernel without them
            pages.madvise(_HUGE)
    return memoryview(pages)


async def _hashed(data: bytes) -> bytes:
    return _md5(data) if len(data) <= _TINY else await anyio.to_thread.run_sync(_md5, data)


def _md5(data: bytes | memoryview) -> bytes:
    return hashlib.md5(data, usedforsecurity=False).digest()
