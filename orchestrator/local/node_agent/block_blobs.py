"""Puts a file into a container as a block blob, with a SAS.

Facts: an existing blob is overwritten; `Content-Type` is `application/octet-stream` whatever the suffix,
unless `uploadHeaders` say otherwise. Every body carries Content-MD5: the server checks it, and the
emulator would else compute a slow checksum of its own (measured: 57 against 179 MiB/s).
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO
from urllib.parse import quote, urlsplit, urlunsplit

from .resource_files import blob_url
from .transfer import STORAGE_VERSION, Channel

BLOCK = 8 * 1024 * 1024
"""Bytes of a block; a file up to this goes as one request."""

MOST_BLOCKS = 50_000
"""Of a blob, the storage service's limit."""

_CONTENT_TYPE = "x-ms-blob-content-type"


def put_file(path: Path, container_url: str, name: str, headers: Mapping[str, str], channel: Channel) -> int:
    """Upload one file.

    Args:
        path: absolute; must not change meanwhile.
        container_url: with a SAS that may write.
        name: of the blob.
        headers: `uploadHeaders`, by name.
        channel: to ask with.

    Returns:
        Its size in bytes.

    Raises:
        OSError: if the file can't be read.
        TransferError: if the server refuses or does not answer.
        TransferCancelled: when the channel is cancelled.
    """
    url = blob_url(container_url, name)
    about = {_CONTENT_TYPE: "application/octet-stream"} | {
        key.lower(): value for key, value in headers.items()
    }
    with path.open("rb") as file:
        first = file.read(BLOCK)
        if len(first) < BLOCK or not (second := file.read(1)):
            _put(url, first, {"x-ms-blob-type": "BlockBlob"} | about, channel)
            return len(first)
        file.seek(-len(second), 1)
        return _put_blocks(url, first, file, size=path.stat().st_size, about=about, channel=channel)


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
    md5 = base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode()
    sent = {"x-ms-version": STORAGE_VERSION, "Content-MD5": md5} | dict(headers)

    def once() -> None:
        with channel.request("PUT", url, headers=sent, body=body) as answer:
            answer.read()

    channel.retrying(once)


def _with(url: str, **parameters: str) -> str:
    parts = urlsplit(url)
    extra = "&".join(f"{name}={quote(value, safe='')}" for name, value in parameters.items())
    return urlunsplit(parts._replace(query="&".join(filter(None, (parts.query, extra)))))
