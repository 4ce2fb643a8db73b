"""Which blob of a run's container has which content, so that what is the same goes up once.

Small files are told apart by their SHA-256. To read a large one only for that would keep its upload waiting:
it is told apart by its size and some samples, and where those are the same, byte by byte.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import threading
from pathlib import Path
from typing import Final

import anyio.to_thread
import msgspec

from orchestrator.accounts.upload import FileVersion, version_of
from orchestrator.errors import StagingError
from orchestrator.stages.first_seen import FirstSeen
from orchestrator.stages.package import FileDigest
from orchestrator.states import BlobSnapshot

KEY_BYTES: Final = 12
"""Of a SHA-256, in the name of a blob."""
_SAMPLE: Final = 64 * 1024
"""Bytes at the beginning, in the middle and at the end of a large file."""
_READ: Final = 1 << 20
_MOST_COMPARED: Final = 8
"""Files of one size and the same samples that a further one is compared with: after so many that differ all
the same, this one will too."""


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where the content of an input is, or goes.

    Args:
        blob: its name.
        size: of the content, in bytes.
        reused: whether it is there already; otherwise it is to be uploaded, and `Contents.arrived` told.
        version: of a large file that is to be uploaded, against a change until its last byte is sent.
    """

    blob: str
    size: int
    reused: bool
    version: FileVersion | None = None


class Contents:
    """The contents of one container; used from one event loop."""

    def __init__(self) -> None:
        # By content: the input whose blob has it, and, as long as that goes up, what its likes wait for.
        self._first = FirstSeen()
        self._going_up: dict[str, asyncio.Event] = {}
        self._large: dict[tuple[int, bytes], list[_Large]] = {}
        self._of_large: dict[str, _Large] = {}
        self._md5s: dict[str, bytes] = {}
        # What a run that is resumed finds: by name, and by content.
        self._there: dict[str, BlobSnapshot] = {}
        self._of_content: dict[str, BlobSnapshot] = {}

    def found(self, blob: BlobSnapshot) -> None:
        """A blob that an earlier program of this run has uploaded."""
        self._there[blob.name] = blob
        self._of_content[blob.name.partition("-")[2]] = blob

    def has(self, blob: str | None) -> bool:
        """Whether it was found."""
        return blob in self._there

    def md5(self, blob: str) -> bytes:
        """The MD5 of a large file's content, once its blob is there."""
        return self._md5s[blob]

    async def of_small(self, index: int, digest: FileDigest) -> Place:
        """The place of a small file's content; waits while another upload brings it.

        Args:
            index: of the input.
            digest: of the content.
        """
        found = self._of_content.get(_hex_key(digest.sha256))
        if found is not None and (found.size, found.md5) == (digest.size, digest.md5):
            return Place(blob=found.name, size=digest.size, reused=True)
        first = self._first.put(bytes.fromhex(digest.sha256), index)
        blob = small_name(first, digest)
        if first == index:
            self._going_up[blob] = asyncio.Event()
        elif waiting := self._going_up.get(blob):
            await waiting.wait()
        return Place(blob=blob, size=digest.size, reused=first != index)

    async def of_large(self, index: int, path: Path) -> Place:
        """The place of a large file's content; waits while another upload brings it.

        Args:
            index: of the input.
            path: of the file.

        Raises:
            StagingError: it can't be read.
        """
        try:
            version, sample = await anyio.to_thread.run_sync(_sampled, path)
        except OSError as error:
            raise StagingError(f"can't be read: {error.strerror}", path=str(path)) from error
        mine = _Large(index, path, version, sample)
        likes = self._large.setdefault((version.size, sample), [])
        earlier = tuple(likes[:_MOST_COMPARED])
        likes.append(mine)  # before any wait: of two that come together the later one is compared
        there = self._there.get(mine.blob)
        if there is not None and there.md5 is not None and there.size == version.size:
            self._md5s[mine.blob] = there.md5
            mine.arrived.set()
            return Place(blob=mine.blob, size=version.size, reused=True)
        for like in earlier:
            if await _same(like, mine):
                await like.arrived.wait()
                mine.blob = like.blob
                mine.arrived.set()
                return Place(blob=like.blob, size=version.size, reused=True)
        self._of_large[mine.blob] = mine
        return Place(blob=mine.blob, size=version.size, reused=False, version=version)

    def arrived(self, blob: str, md5: bytes) -> None:
        """What was to be uploaded is there: its likes may go on."""
        if waiting := self._going_up.pop(blob, None):
            waiting.set()
        if large := self._of_large.pop(blob, None):
            self._md5s[blob] = md5
            large.arrived.set()


class _Large:
    """A large file, and where its content is; `arrived` is set once it is there."""

    def __init__(self, index: int, path: Path, version: FileVersion, sample: bytes) -> None:
        self.path = path
        self.version = version
        # The time too: on disk a file may be the one from before in all that was sampled, and not be it.
        told = f"{version.size}:{version.modified_ns}:".encode()
        self.blob = f"{index}-{_hex_key(hashlib.sha256(told + sample).hexdigest())}"
        self.arrived = asyncio.Event()


def small_name(index: int, digest: FileDigest) -> str:
    """The name of the blob of a small file, or of one of the application's."""
    # Azurite fails on odd blob names; the true name travels as the resource file's filePath only.
    return f"{index}-{_hex_key(digest.sha256)}"


def _hex_key(sha256: str) -> str:
    return sha256[: 2 * KEY_BYTES]


def _sampled(path: Path) -> tuple[FileVersion, bytes]:
    sums = hashlib.sha256()
    with path.open("rb") as file:
        version = version_of(os.fstat(file.fileno()))
        last = max(version.size - _SAMPLE, 0)
        for offset in (0, last // 2, last):
            file.seek(offset)
            sums.update(file.read(_SAMPLE))
    return version, sums.digest()


async def _same(one: _Large, other: _Large) -> bool:
    stop = threading.Event()
    try:
        return await anyio.to_thread.run_sync(_compared, one, other, stop, abandon_on_cancel=True)
    except BaseException:
        stop.set()  # nobody waits any more: the thread must not read on to the end of large files
        raise


def _compared(one: _Large, other: _Large, stop: threading.Event) -> bool:
    """Whether two files have the same content, and are still what they were when they were first seen."""
    try:
        with one.path.open("rb") as first, other.path.open("rb") as second:
            while not stop.is_set():
                left, right = first.read(_READ), second.read(_READ)
                if left != right:
                    return False
                if not left:
                    break
            versions = [version_of(os.fstat(file.fileno())) for file in (first, second)]
    except OSError:
        return False  # whoever uploads it will tell
    return versions == [one.version, other.version]
