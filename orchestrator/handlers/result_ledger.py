"""The list of files that runs of one job have written into its folder of results."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Callable, Iterable
from typing import Final

import msgspec

FOLDER = ".orchestrator"
_FILE = "results.jsonl"
_FLAGS = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC


class FileDigest(msgspec.Struct, frozen=True):
    """What a file holds: its size in bytes and its MD5, hexadecimal."""

    size: int
    md5: str


class _Line(msgspec.Struct, frozen=True):
    path: str
    size: int
    md5: str


_DECODER: Final = msgspec.json.Decoder(_Line)  # see orchestrator/spec/convert.py on threads


class ResultLedger:
    """Knows which files were written by runs of this job, so that nothing else is ever overwritten.

    One JSON object a line, only ever appended to. A line is written before the file it speaks of gets its
    name, so a path may have several digests: that of a file in place, and that of one which was about to
    replace it when the program died. Every method blocks for disk, and is called with a lock held.

    Args:
        folder: descriptor of the job's folder of results; not kept.

    Raises:
        OSError: the list can't be opened; a link in its place is not followed.
    """

    def __init__(self, folder: int) -> None:
        with contextlib.suppress(FileExistsError):
            os.mkdir(FOLDER, 0o777, dir_fd=folder)
        inside = os.open(FOLDER, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
        try:
            self._file = os.open(_FILE, _FLAGS, 0o666, dir_fd=inside)
        finally:
            os.close(inside)
        self._known: dict[str, tuple[FileDigest, ...]] = {}
        self._read_to = 0
        self._read_news()

    def close(self) -> None:
        """Close the list."""
        os.close(self._file)

    def digests(self, path: str) -> tuple[FileDigest, ...]:
        """What the file may hold if a run of this job wrote it; empty if none did."""
        # Lines that this run has written are not kept in memory: there may be millions, and nobody asks for
        # them but for a task that is downloaded twice.
        if path not in self._known:
            self._read_news()
        return self._known.get(path, ())

    def add(self, files: Iterable[tuple[str, FileDigest]]) -> None:
        """Write down that files are about to be put in their places.

        Args:
            files: the path of each, and what it holds.

        Raises:
            OSError: it can't be written.
        """
        new = [(path, digest) for path, digest in files if digest not in self._known.get(path, ())]
        lines = b"".join(_line(path, digest) for path, digest in new)
        if lines and os.write(self._file, lines) != len(lines):
            raise OSError(f"only a part of a line could be written to {FOLDER}/{_FILE}: the disk is full")
        for path, digest in new:
            if path in self._known:
                self._known[path] = (*self._known[path], digest)

    def _read_news(self) -> None:
        with os.fdopen(os.dup(self._file), "rb") as file:
            file.seek(self._read_to)
            content = b"\n"
            for content in file:
                self._take(content)
            self._read_to = file.tell()
        if not content.endswith(b"\n"):
            # The program died in the middle of a line; the next one must not continue it.
            os.write(self._file, b"\n")

    def _take(self, content: bytes) -> None:
        try:
            line = _DECODER.decode(content)
        except msgspec.DecodeError:
            # A line that can't be read vouches for nothing, so its file will not be overwritten.
            return
        known = self._known.get(line.path, ())
        self._known[line.path] = (*known, FileDigest(line.size, line.md5))


def _line(path: str, digest: FileDigest) -> bytes:
    return msgspec.json.encode(_Line(path, digest.size, digest.md5)) + b"\n"


def vouched_for(folder: int, wanted: Callable[[str], bool]) -> dict[str, set[FileDigest]]:
    """What the list in a folder of results says of some files. Blocks.

    Args:
        folder: descriptor of the job's folder of results; not kept.
        wanted: whether a path is of interest: only those are kept in memory.

    Raises:
        OSError: there is no list, or it can't be read.
    """
    file = os.open(f"{FOLDER}/{_FILE}", os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
    found: dict[str, set[FileDigest]] = {}
    with os.fdopen(file, "rb") as lines:
        for content in lines:
            with contextlib.suppress(msgspec.DecodeError):  # as in `_take`
                line = _DECODER.decode(content)
                if wanted(line.path):
                    found.setdefault(line.path, set()).add(FileDigest(line.size, line.md5))
    return found


def digest_of(file: int) -> FileDigest:
    """Hash an open file from its beginning."""
    md5 = hashlib.md5(usedforsecurity=False)
    size = 0
    os.lseek(file, 0, os.SEEK_SET)
    while piece := os.read(file, 1 << 20):
        md5.update(piece)
        size += len(piece)
    return FileDigest(size, md5.hexdigest())
