"""Reads `manifest.json`, in which a task's program says what it has uploaded; it goes up last."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Awaitable, Callable
from typing import Final

import msgspec

from orchestrator.errors import DownloadError

NAME = "manifest.json"
_VERSION = 1
_LARGEST: Final = 64 << 20


class ManifestError(ValueError):
    """The manifest can't be read."""


class ManifestEntry(msgspec.Struct, frozen=True):
    """One uploaded file: its path below the task's folder, its size in bytes, its MD5 in base64."""

    path: str
    size: int
    md5: str

    def digest(self) -> bytes:
        """The MD5 as bytes.

        Raises:
            ManifestError: it is not base64.
        """
        try:
            return base64.b64decode(self.md5, validate=True)
        except binascii.Error as error:
            raise ManifestError(f"the MD5 of {self.path!r} is not base64") from error


class _Manifest(msgspec.Struct, frozen=True):
    version: int
    files: tuple[ManifestEntry, ...]


_DECODER: Final = msgspec.json.Decoder(_Manifest)  # see orchestrator/spec/convert.py on threads


def gather(content: bytearray) -> Callable[[bytes | memoryview], Awaitable[None]]:
    """Takes the pieces of a manifest, up to a size past which it can't be one.

    Args:
        content: what they are put to.
    """

    async def take(piece: bytes | memoryview) -> None:
        content.extend(piece)
        if len(content) > _LARGEST:
            raise DownloadError(f"it is larger than {_LARGEST >> 20} MiB")

    return take


def read_manifest(content: bytes) -> dict[str, ManifestEntry]:
    """Decode a manifest.

    Args:
        content: of the blob.

    Returns:
        What it names, by path.

    Raises:
        ManifestError: it is not JSON of that form, or of a version that is not known here.
    """
    try:
        manifest = _DECODER.decode(content)
    except msgspec.DecodeError as error:
        raise ManifestError(f"not a manifest: {error}") from error
    if manifest.version != _VERSION:
        raise ManifestError(f"version {manifest.version} is not known here (only {_VERSION})")
    for entry in manifest.files:
        entry.digest()
    return {entry.path: entry for entry in manifest.files}
