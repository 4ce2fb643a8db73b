"""Puts a file into a container as a block blob, with a SAS.

Facts: an existing blob is overwritten; `Content-Type` is `application/octet-stream` whatever the suffix,
unless `uploadHeaders` say otherwise. Every body carries Content-MD5: the server checks it, and the
emulator would else compute a slow checksum of its own (measured: 57 against 179 MiB/s).
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO
from urllib.parse import quote, urlsplit, urlunsplit

from .resource_files import blob_url
from .transfer import STORAGE_VERSION, Channel

BLOCK = 8 * 1024 * 1024
"""Bytes of a block; a file up to this goes as one request."""

MOST_BLOCKS = 50_000
"""Of a blob, the storage service's limit."""

SMALL = 64 * 1024
"""Bytes of a file that goes up together with others."""

_TOGETHER = 4
"""Files at a time: a result and two logs are three, and a node may have 256 slots that do this."""
_CONTENT_TYPE = "x-ms-blob-content-type"
_WHOLE = {"x-ms-blob-type": "BlockBlob"}


@dataclass(frozen=True)
class Upload:
    """One file on its way.

    Args:
        path: absolute; the file must not change meanwhile.
        container_url: with a SAS that may write.
        blob_name: in there.
        headers: `uploadHeaders`, by name.
    """

    path: Path
    container_url: str
    blob_name: str
    headers: Mapping[str, str]

    @property
    def url(self) -> str:
        """The blob's address, with the SAS."""
        return blob_url(self.container_url, self.blob_name)

    @property
    def about(self) -> dict[str, str]:
        """The headers that say what is in the blob."""
        return {_CONTENT_TYPE: "application/octet-stream"} | {
            key.lower(): value for key, value in self.headers.items()
        }


def put_file(upload: Upload, channel: Channel) -> int:
    """Upload one file.

    Args:
        upload: which, and where to.
        channel: to ask with.

    Returns:
        Its size in bytes.

    Raises:
        OSError: if the file can't be read.
        TransferError: if the server refuses or does not answer.
        TransferCancelled: when the channel is cancelled.
    """
    with upload.path.open("rb") as file:
        first = file.read(BLOCK)
        if len(first) < BLOCK or not (second := file.read(1)):
            _put(upload.url, first, _WHOLE | upload.about, channel)
            return len(first)
        file.seek(-len(second), 1)
        return _put_blocks(
            upload.url, first, file, size=upload.path.stat().st_size, about=upload.about, channel=channel
        )


def put_together(uploads: Sequence[Upload], channel: Channel) -> list[int | None]:
    """Try once to upload small files, with a request for each under way before any answer is waited for.

    One after the other, the node and the server would wait for each other in turn: for a short task that
    leaves its result and two logs that was most of what a node adds.

    Args:
        uploads: to different blobs.
        channel: of the execution.

    Returns:
        The size in bytes of each that is there now; None for one that is too large, can't be read or did not
        work at once: `put_file` tells why.

    Raises:
        TransferCancelled: when the channel is cancelled.
    """
    done: list[int | None] = [None] * len(uploads)
    if channel.fault is not None or len(uploads) == 1:
        return done
    with contextlib.ExitStack() as stack:
        places = range(min(_TOGETHER, len(uploads)))
        channels = [stack.enter_context(contextlib.closing(channel.beside())) for _ in places]
        for start in range(0, len(uploads), _TOGETHER):
            well = True
            under_way = []
            for index, own in enumerate(channels[: len(uploads) - start], start):
                upload = uploads[index]
                found = _small(upload)
                if found is None:
                    continue
                url, content = found
                if own.sends("PUT", url, headers=_sent(content, _WHOLE | upload.about), body=content):
                    under_way.append((index, len(content), own))
                else:
                    well = False
            for index, size, own in under_way:
                answer = own.succeeded()
                if answer is None:
                    return done  # nor is it worth the same wait for each of the others
                if answer:
                    done[index] = size
                well = well and answer
            if not well:  # a server in trouble is asked with patience, for one file at a time
                break
    return done


def _small(upload: Upload) -> tuple[str, bytes] | None:
    """Give the address and the content of a small file; None where it is for `put_file` to tell why not."""
    with contextlib.suppress(OSError, ValueError), upload.path.open("rb") as file:
        content = file.read(SMALL + 1)
        if len(content) <= SMALL:
            return upload.url, content
    return None


def block_size(size: int) -> int:
    """Give the smallest multiple of `BLOCK` by which a file has no more than `MOST_BLOCKS` blocks."""
    return BLOCK * max(1, -(-size // (BLOCK * MOST_BLOCKS)))


def _put_blocks(
    url: str, first: bytes, file: BinaryIO, *, size: int, about: Mapping[str, str], channel: Channel
) -> int:
    whole = hashlib.md5(usedforsecurity=False)
    length = block_size(size)
    block = first + file.read(length - len(first))
    ids: list[str] = []
    sent = 0
    while block:
        block_id = base64.b64encode(f"{len(ids):06}".encode()).decode()
        _put(_with(url, comp="block", blockid=block_id), block, {}, channel)
        whole.update(block)
        ids.append(block_id)
        sent += len(block)
        block = file.read(length)
    blocks = "".join(f"<Latest>{block_id}</Latest>" for block_id in ids)
    body = f'<?xml version="1.0" encoding="utf-8"?><BlockList>{blocks}</BlockList>'.encode()
    checksum = {"x-ms-blob-content-md5": base64.b64encode(whole.digest()).decode()}
    _put(_with(url, comp="blocklist"), body, checksum | dict(about), channel)
    return sent


def _put(url: str, body: bytes, headers: Mapping[str, str], channel: Channel) -> None:
    sent = _sent(body, headers)

    def once() -> None:
        with channel.request("PUT", url, headers=sent, body=body) as answer:
            answer.read()

    channel.retrying(once)


def _sent(body: bytes, headers: Mapping[str, str]) -> dict[str, str]:
    md5 = base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode()
    return {"x-ms-version": STORAGE_VERSION, "Content-MD5": md5} | dict(headers)


def _with(url: str, **parameters: str) -> str:
    parts = urlsplit(url)
    extra = "&".join(f"{name}={quote(value, safe='')}" for name, value in parameters.items())
    return urlunsplit(parts._replace(query="&".join(filter(None, (parts.query, extra)))))
