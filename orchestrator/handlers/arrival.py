"""Writes files that arrive: large ones as they come, small ones several in one go.

Each change of thread costs as much as a small file does otherwise (measured).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import anyio

from orchestrator.errors import DownloadError
from orchestrator.file_threads import FileThreads
from orchestrator.handlers.result_files import PartialFile, TaskFolder
from orchestrator.handlers.small_files import SmallFile, put_small_files

_WRITE_AT_ONCE: Final = 1 << 20
_SMALL: Final = 64 << 10
"""The most bytes of a file that is kept."""
_MOST_KEPT: Final = 512 << 10
_MOST_FILES: Final = 64


class FileArrival:
    """One file, on its way to the disk.

    Args:
        path: below its task's folder, as it was claimed.
        folder: of the task.
        threads: for the disk.

    Attributes:
        rest: what came and is not written yet.
        size: of that, in bytes.
    """

    def __init__(self, path: str, folder: TaskFolder, threads: FileThreads) -> None:
        self.path = path
        self.rest: list[bytes | memoryview] = []
        self.size = 0
        self._folder = folder
        self._threads = threads
        self._partial: PartialFile | None = None

    @property
    def begun(self) -> bool:
        """Whether any of it was written."""
        return self._partial is not None

    async def take(self, piece: bytes | memoryview) -> None:
        """Take the next piece; writes by the megabyte."""
        self.rest.append(piece)
        self.size += len(piece)
        if self.size >= _WRITE_AT_ONCE:
            held, self.rest, self.size = self.rest, [], 0
            await self._threads.run(self._file().write, held)

    async def finish(self, size: int | None, md5s: Sequence[bytes]) -> int:
        """Write the rest, check the file and put it in its place: see `PartialFile.finish`.

        Returns:
            Its size, in bytes.
        """
        return await self._threads.run(_finish, self._file(), self.rest, size, md5s)

    async def discard(self) -> None:
        """Remove what was written, unless it was finished."""
        # Of a blob that is not there nothing came: no thread need look for it.
        if self._partial is not None and not self._partial.ended:
            with anyio.CancelScope(shield=True):
                await self._threads.run(self._partial.discard)

    def _file(self) -> PartialFile:
        if self._partial is None:
            self._partial = self._folder.create(self.path)
        return self._partial


class KeptFiles:
    """Small files of one task that have come, until they are written together.

    Args:
        folder: of the task.
        threads: for the disk.
    """

    def __init__(self, folder: TaskFolder, threads: FileThreads) -> None:
        self._folder = folder
        self._threads = threads
        self._files: list[SmallFile] = []
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
        if arrival.begun or arrival.size > _SMALL:
            return False
        self._files.append(SmallFile(arrival.path, b"".join(arrival.rest), size, md5s))
        self._size += arrival.size
        return True

    async def finish(self) -> list[tuple[str, int | DownloadError]]:
        """Write all that are kept, check each and put it in its place.

        Returns:
            Of each its path, and its size in bytes or what is wrong.
        """
        files, self._files, self._size = self._files, [], 0
        if not files:
            return []
        wrong = await self._threads.run(put_small_files, self._folder, files)
        return [(file.path, wrong[file.path] or len(file.content)) for file in files]


def _finish(
    partial: PartialFile, rest: list[bytes | memoryview], size: int | None, md5s: Sequence[bytes]
) -> int:
    partial.write(rest)
    return partial.finish(size, md5s)[1]
