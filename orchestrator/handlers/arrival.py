"""Writes files that arrive: large ones as they come, small ones several in one go.

Each change of thread costs as much as a small file does otherwise (measured).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import anyio

from orchestrator.errors import DownloadError
from orchestrator.file_threads import FileThreads
from orchestrator.handlers.result_files import PartialFile

_WRITE_AT_ONCE: Final = 1 << 20
_SMALL: Final = 64 << 10
"""The most bytes of a file that is kept."""
_MOST_KEPT: Final = 512 << 10
_MOST_FILES: Final = 64


class FileArrival:
    """One file, on its way to the disk.

    Args:
        path: below its task's folder.
        partial: where it is written to; nothing is before the first megabyte is here, or all of it.
        threads: for the disk.
    """

    def __init__(self, path: str, partial: PartialFile, threads: FileThreads) -> None:
        self.path = path
        self.partial = partial
        self.rest: list[bytes | memoryview] = []
        self.size = 0
        self._threads = threads

    async def take(self, piece: bytes | memoryview) -> None:
        """Take the next piece; writes by the megabyte."""
        self.rest.append(piece)
        self.size += len(piece)
        if self.size >= _WRITE_AT_ONCE:
            held, self.rest, self.size = self.rest, [], 0
            await self._threads.run(self.partial.write, held)

    async def finish(self, size: int | None, md5s: Sequence[bytes]) -> int:
        """Write the rest, check the file and put it in its place: see `PartialFile.finish`.

        Returns:
            Its size, in bytes.
        """
        return await self._threads.run(_finish, self.partial, self.rest, size, md5s)

    async def discard(self) -> None:
        """Remove what was written, unless it was finished."""
        # Of a blob that is not there nothing came: no thread need look for it.
        if self.partial.begun and not self.partial.ended:
            with anyio.CancelScope(shield=True):
                await self._threads.run(self.partial.discard)


class _Kept(NamedTuple):
    arrival: FileArrival
    size: int | None
    md5s: Sequence[bytes]


class KeptFiles:
    """Small files that have come, until they are written together.

    Args:
        threads: for the disk.
    """

    def __init__(self, threads: FileThreads) -> None:
        self._threads = threads
        self._files: list[_Kept] = []
        self._size = 0

    @property
    def full(self) -> bool:
        """Whether no more should be kept before these are written."""
        return self._size >= _MOST_KEPT or len(self._files) >= _MOST_FILES

    def keep(self, arrival: FileArrival, size: int | None, md5s: Sequence[bytes]) -> bool:
        """Keep a file that has come, if it is small.

        Args:
            arrival: of the file.
            size: that it must have, in bytes; None if nobody knows.
            md5s: that it must have; as many as somebody has told.

        Returns:
            Whether it is kept.
        """
        if arrival.partial.begun or arrival.size > _SMALL:
            return False
        self._files.append(_Kept(arrival, size, md5s))
        self._size += arrival.size
        return True

    async def finish(self) -> list[tuple[str, int | DownloadError]]:
        """Write all that are kept, check each and put it in its place.

        Returns:
            Of each its path, and its size in bytes or what is wrong.
        """
        files, self._files, self._size = self._files, [], 0
        return await self._threads.run(_finish_all, files) if files else []


def _finish_all(files: Sequence[_Kept]) -> list[tuple[str, int | DownloadError]]:
    return [(kept.arrival.path, _finished(kept)) for kept in files]


def _finished(kept: _Kept) -> int | DownloadError:
    partial = kept.arrival.partial
    try:
        return _finish(partial, kept.arrival.rest, kept.size, kept.md5s)
    except DownloadError as error:
        partial.discard()
        return error


def _finish(
    partial: PartialFile, rest: list[bytes | memoryview], size: int | None, md5s: Sequence[bytes]
) -> int:
    partial.write(rest)
    return partial.finish(size, md5s)[1]
