"""Reads inputs before they go up, tiny ones many at a time: a change of thread costs more than they do."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Final, TypeAlias

from orchestrator.errors import StagingError
from orchestrator.file_threads import FileThreads
from orchestrator.spec.plan import InputFile
from orchestrator.stages.package import KEPT, FileDigest, digest_path

Read: TypeAlias = tuple[FileDigest, bytes | None]
"""What a file's content is, and the content itself where it is tiny."""

_FILES: Final = 32
_BYTES: Final = 1 << 20


class InputReader:
    """Gives inputs in their order, each once, to whoever asks; several may.

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
        self._ready: deque[tuple[InputFile, Read | None]] = deque()
        self._reading = asyncio.Lock()

    async def next(self) -> tuple[InputFile, Read | None] | None:
        """The next input, and what was read of it where it is tiny; None after the last.

        Raises:
            StagingError: one of the next ones can't be read, or must not be used.
        """
        while not self._ready:
            async with self._reading:
                if not self._ready and not await self._refill():
                    return None
        return self._ready.popleft()

    async def read(self, file: InputFile) -> Read:
        """Read one that is not tiny.

        Raises:
            StagingError: it can't be read, or must not be used.
        """
        return (await self._threads.run(self._read_all, (file,)))[0]

    async def check(self, file: InputFile) -> None:
        """Make sure of one that is not read here.

        Raises:
            StagingError: it must not be used.
        """
        if self._check is not None:
            await self._threads.run(self._check, file)

    async def _refill(self) -> bool:
        tiny: list[InputFile] = []
        rest: InputFile | None = None
        size = 0
        while size < _BYTES and len(tiny) < _FILES and (file := next(self._files, None)) is not None:
            if file.size > KEPT or self._skip(file):
                rest = file
                break
            tiny.append(file)
            size += file.size
        if tiny:
            self._ready.extend(zip(tiny, await self._threads.run(self._read_all, tiny), strict=True))
        if rest is not None:
            self._ready.append((rest, None))
        return bool(tiny) or rest is not None

    def _read_all(self, files: Sequence[InputFile]) -> list[Read]:
        read = []
        for file in files:
            if self._check is not None:
                self._check(file)
            read.append(digest_path(file.path))
        return read


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
