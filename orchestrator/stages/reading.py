"""Reads inputs before they go up, tiny ones many at a time: a change of thread costs more than they do."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from itertools import islice
from typing import Final, TypeAlias

from orchestrator.errors import StagingError
from orchestrator.file_threads import FileThreads
from orchestrator.spec.plan import InputFile
from orchestrator.stages.package import KEPT, FileDigest, digest_path

Read: TypeAlias = tuple[FileDigest, bytes | None]
"""What a file's content is, and the content itself where it is tiny."""

_TOGETHER: Final = 16
"""Files that are read with one change of thread."""
_BYTES: Final = 1 << 20
"""Of them, after which no more are taken."""
_AHEAD: Final = 32
"""Files that may wait to be sent, but for those that are just being read."""


class InputReader:
    """Reads inputs ahead of those who send them, in their order.

    Args:
        files: the inputs.
        threads: where they are read.
        skip: whether an input need not be read at all.
        check: called in a thread before each is read; raises where it must not be used.
    """

    def __init__(
        self,
        files: Iterable[InputFile],
        *,
        threads: FileThreads,
        skip: Callable[[InputFile], bool],
        check: Callable[[InputFile], None] | None = None,
    ) -> None:
        self._files = iter(files)
        self._threads = threads
        self._skip = skip
        self._check = check
        self._ready = asyncio.Queue[tuple[InputFile, Read | None] | None](_AHEAD)

    async def run(self) -> None:
        """Read all of them, as fast as `next` is asked for them.

        Raises:
            StagingError: one can't be read, or must not be used.
        """
        while taken := self._take():
            for read in await self._threads.run(self._read_some, taken):
                await self._ready.put(read)
        await self._ready.put(None)

    async def next(self) -> tuple[InputFile, Read | None] | None:
        """The next input, each once, and what was read of it where it is tiny; None after the last."""
        taken = await self._ready.get()
        if taken is None:
            await self._ready.put(None)  # for who asks next
        return taken

    async def read(self, file: InputFile) -> Read:
        """Read one that is not tiny.

        Raises:
            StagingError: it can't be read, or must not be used.
        """
        return await self._threads.run(self._read, file)

    async def check(self, file: InputFile) -> None:
        """Make sure of one that is not read here.

        Raises:
            StagingError: it must not be used.
        """
        if self._check is not None:
            await self._threads.run(self._check, file)

    def _take(self) -> list[tuple[InputFile, bool]]:
        """The next ones, and whether each is read ahead."""
        taken: list[tuple[InputFile, bool]] = []
        size = 0
        for file in islice(self._files, _TOGETHER):
            tiny = file.size <= KEPT and not self._skip(file)
            taken.append((file, tiny))
            size += file.size if tiny else 0
            if size >= _BYTES:
                break
        return taken

    def _read_some(self, taken: list[tuple[InputFile, bool]]) -> list[tuple[InputFile, Read | None]]:
        return [(file, self._read(file) if tiny else None) for file, tiny in taken]

    def _read(self, file: InputFile) -> Read:
        if self._check is not None:
            self._check(file)
        return digest_path(file.path)


def refuse_changed(file: InputFile) -> None:
    """Make sure that a file is the one that the run began with: its other files are of that moment.

    Raises:
        StagingError: it is gone, or was changed.
    """
    try:
        found = file.path.stat()
    except OSError as error:
        raise StagingError(
            f"is not there any more ({error.strerror}), and had not been uploaded when the program died; "
            "put it back, and resume the run",
            path=str(file.path),
        ) from error
    if (found.st_size, found.st_mtime_ns) != (file.size, file.modified_ns):
        raise StagingError(
            "was changed after the run began, and had not been uploaded when the program died; put the old "
            "one back (its time too), or begin a new run",
            path=str(file.path),
        )
