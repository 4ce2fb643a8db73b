"""What a result may be called on this disk, and what the disk says where it does not take it. Pure."""

from __future__ import annotations

import errno
import hashlib

_PART = ".orchestrator-part"
_LONGEST_PATH = 1024  # of a blob's name, in characters
_LONGEST_NAME = 255  # of one file name, in bytes, on every file system in use


def checked_segments(path: str) -> list[str]:
    """The folders and the name of a file below a task's folder of results.

    Args:
        path: as the blob's name has it, with slashes.

    Returns:
        Its segments, the file's own name last.

    Raises:
        ValueError: the path could leave the folder, or can't be a file's name.
    """
    if path.startswith("/"):
        raise ValueError("its name is an absolute path")
    if "\0" in path:
        raise ValueError("its name has a NUL in it")
    if len(path) > _LONGEST_PATH:
        raise ValueError(f"its name is longer than {_LONGEST_PATH} characters")
    segments = path.split("/")
    for segment in segments:
        if segment in {"", ".", ".."}:
            raise ValueError(f"its name has the segment {segment!r}")
        if len(segment.encode("utf-8", "surrogatepass")) > _LONGEST_NAME:
            raise ValueError(f"its name has a segment of more than {_LONGEST_NAME} bytes")
    if segments[-1].endswith(_PART):
        raise ValueError(f"names that end in {_PART} are for files that are being written")
    return segments


def temporary_name(name: str) -> str:
    """What a file is called while it is written; the same each time, so that what a killed run left goes."""
    hashed = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()
    return f".{hashed[:20]}{_PART}"


def disk_trouble(error: OSError) -> str:
    """What an error of the disk means for the file that was to be written."""
    if error.errno in {errno.ELOOP, errno.ENOTDIR}:
        return "a folder on its way is a link or a file: move it away"
    return error.strerror or str(error)
