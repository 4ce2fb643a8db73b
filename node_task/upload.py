"""Files and bytes become blobs: Put Blob for what is small, Put Block and Put Block List for what is not."""

from __future__ import annotations

import base64
import random
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Callable, Dict, Iterable, Iterator, List, Mapping

from node_task import http_put
from node_task.checksum import Checksum, content_md5
from node_task.destination import Destination
from node_task.errors import FileError, UploadError
from node_task.manifest import FileEntry
from node_task.retry import Patience
from node_task.text import PIECE_BYTES, pieces_of

API_VERSION = "2021-12-02"
MOST_BLOCKS = 50_000
"""In one blob, by the service's rules."""

_MIB = 1024 * 1024
_BINARY = "application/octet-stream"


@dataclass(frozen=True)
class Sizes:
    """How files are cut, in bytes.

    Attributes:
        single: Up to this size a file goes up in one request.
        block: How large the blocks of larger files are. One at a time is in memory.
    """

    single: int = 64 * _MIB
    block: int = 16 * _MIB

    def block_for(self, size: int) -> int:
        """How large the blocks of a file are: more than usual where there would be too many of them.

        Args:
            size: The file's size.

        Returns:
            The size of all its blocks but the last.
        """
        return max(self.block, -(-size // MOST_BLOCKS))


@dataclass
class Uploader:
    """Writes blobs, patiently, until its time is over.

    Attributes:
        destination: Where to.
        patience: How long to try; the time runs from the making of the uploader.
        sizes: How files are cut.
    """

    destination: Destination
    patience: Patience = field(default_factory=Patience)
    sizes: Sizes = field(default_factory=Sizes)

    def __post_init__(self) -> None:
        self._deadline = time.monotonic() + self.patience.total

    def put_bytes(self, path: str, data: bytes, content_type: str) -> None:
        """Writes a blob from memory.

        Args:
            path: The blob's path below the task's folder.
            data: Its content.
            content_type: What it is.

        Raises:
            UploadError: The service refused, or the time is over.
        """
        headers = {"x-ms-blob-type": "BlockBlob", "Content-Type": content_type}
        self._put(path, {}, headers, data)

    def put_file(self, source: Path, file: FileEntry) -> None:
        """Writes a blob from a file. The blob carries the MD5 of the whole.

        Args:
            source: The file.
            file: What it was when it was measured.

        Raises:
            FileError: The file cannot be read, or is not what was measured.
            UploadError: The service refused, or the time is over.
        """
        if file.size > self.sizes.single:
            self._put_blocks(source, file)
            return
        headers = {
            "x-ms-blob-type": "BlockBlob",
            "Content-Type": _BINARY,
            "Content-Length": str(file.size),
            "Content-MD5": file.md5,
        }
        self._until_accepted(file.path, {}, headers, lambda: _unchanged(source, file.size))

    def _put_blocks(self, source: Path, file: FileEntry) -> None:
        whole = Checksum()
        ids: List[str] = []
        for block in pieces_of(source, self.sizes.block_for(file.size)):
            # All ids of a blob must have one length. A retried task sends the same ones again.
            ids.append(base64.b64encode(b"%08d" % len(ids)).decode("ascii"))
            whole.feed(block)
            self._put(file.path, {"comp": "block", "blockid": ids[-1]}, {"Content-Type": _BINARY}, block)
        if whole.content_md5() != file.md5:
            # The service checks the blocks but not the whole: it would store whatever MD5 it is told.
            raise _changed(source)
        listed = "".join(f"<Latest>{block_id}</Latest>" for block_id in ids)
        data = f'<?xml version="1.0" encoding="utf-8"?><BlockList>{listed}</BlockList>'.encode("ascii")
        headers = {
            "Content-Type": "application/xml",
            "x-ms-blob-content-type": _BINARY,
            "x-ms-blob-content-md5": file.md5,
        }
        self._put(file.path, {"comp": "blocklist"}, headers, data)

    def _put(self, path: str, query: Mapping[str, str], headers: Mapping[str, str], data: bytes) -> None:
        measured = {"Content-Length": str(len(data)), "Content-MD5": content_md5(data), **headers}
        self._until_accepted(path, query, measured, lambda: _slices(data))

    def _until_accepted(
        self,
        path: str,
        query: Mapping[str, str],
        headers: Mapping[str, str],
        body: Callable[[], Iterable[bytes]],
    ) -> None:
        """Sends one request again and again until it is accepted, refused for good, or the time is over."""
        url = self.destination.signed(path, query)
        all_headers: Dict[str, str] = {"x-ms-version": API_VERSION, **headers}
        story = "no time left"
        attempt = 0
        while True:
            remaining = self._deadline - time.monotonic()
            if remaining <= 0:
                raise self._failure(path, story)
            timeout = min(self.patience.silence, remaining)
            outcome = http_put.put(url, all_headers, self._in_time(path, body()), timeout)
            if outcome.accepted:
                return
            if not outcome.worth_retrying:
                raise self._failure(path, outcome.story)
            attempt += 1
            story = f"{outcome.story}; attempts: {attempt}"
            # Chance spreads the load of many tasks; nothing secret depends on it.
            pause = self.patience.pause(attempt, outcome.retry_after, random.random())  # noqa: S311
            if time.monotonic() + pause >= self._deadline:
                raise self._failure(path, story)
            time.sleep(pause)

    def _in_time(self, path: str, pieces: Iterable[bytes]) -> Iterator[bytes]:
        """The body of a request, as long as there is time: a slow connection is never silent."""
        for piece in pieces:
            if time.monotonic() > self._deadline:
                raise self._failure(path, "no time left to send it")
            yield piece

    def _failure(self, path: str, story: str) -> UploadError:
        return UploadError(f"cannot upload {self.destination.shown(path)}: {story}")


def _unchanged(source: Path, size: int) -> Iterator[bytes]:
    """The content of a file, as long as it has the size that the request has announced."""
    sent = 0
    for piece in pieces_of(source):
        sent += len(piece)
        if sent > size:
            break
        yield piece
    if sent != size:
        raise _changed(source)


def _slices(data: bytes) -> Iterator[bytes]:
    for start in range(0, len(data), PIECE_BYTES):
        yield data[start : start + PIECE_BYTES]


def _changed(source: Path) -> FileError:
    return FileError(f"cannot upload {str(source)!r}: it changed while it was being uploaded")
