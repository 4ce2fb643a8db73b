"""A folder of a node, read from outside: nothing above it, no link out of it.

All of this blocks, and runs in threads.
"""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from orchestrator.local.batch.errors import file_not_found
from orchestrator.local.wire.api_error import invalid_property, invalid_range

_SNIFFED: Final = 8192
_TEXT_SUFFIXES: Final = frozenset({".txt", ".log", ".json", ".xml", ".csv", ".md", ".py", ".sh", ".html"})


@dataclass(frozen=True, kw_only=True, slots=True)
class FileFacts:
    """What there is to tell about a file or folder.

    Args:
        name: relative to the folder that was asked about, with slashes.
        is_directory: rather than a file.
        size: in bytes.
        modified_ns: time of the last write, in nanoseconds since 1970.
        mode: as `stat` has it.
        content_type: of its bytes.
    """

    name: str
    is_directory: bool
    size: int
    modified_ns: int
    mode: int
    content_type: str


def locate(folder: Path, name: str) -> Path:
    """Find a file in a folder.

    Args:
        folder: that it must be in.
        name: relative, with slashes.

    Returns:
        Its path, all links followed.

    Raises:
        ApiError: FileNotFound, also for what lies outside.
    """
    try:
        top = folder.resolve(strict=True)
        path = (top / name).resolve(strict=True)
    except (OSError, ValueError, RuntimeError):
        raise file_not_found() from None
    if path != top and top not in path.parents:
        raise file_not_found()
    return path


def describe(folder: Path, name: str) -> FileFacts:
    """Look at one file.

    Args:
        folder: that it must be in.
        name: relative, with slashes.

    Raises:
        ApiError: FileNotFound.
    """
    path = locate(folder, name)
    try:
        return _facts(path, name, path.stat())
    except OSError:
        raise file_not_found() from None


def list_folder(folder: Path, *, recursive: bool) -> list[FileFacts]:
    """List a folder.

    Args:
        folder: to list.
        recursive: with all that is below it.

    Returns:
        What is there, in order of the names; special files and broken links are left out.
    """
    try:
        top = folder.resolve(strict=True)
    except OSError:
        return []
    return sorted(_walk(top, top, "", recursive), key=lambda facts: facts.name.lower())


def _walk(top: Path, folder: Path, prefix: str, recursive: bool) -> Iterator[FileFacts]:
    try:
        entries = list(os.scandir(folder))
    except OSError:  # gone meanwhile
        return
    for entry in entries:
        name = prefix + os.fsencode(entry.name).decode("utf-8", "replace")
        path = Path(entry.path)
        try:
            if entry.is_symlink() and top not in path.resolve(strict=True).parents:
                continue
            facts = _facts(path, name, entry.stat())
        except (OSError, RuntimeError):
            continue
        if facts.is_directory or stat.S_ISREG(facts.mode):
            yield facts
        if recursive and facts.is_directory and not entry.is_symlink():
            yield from _walk(top, path, f"{name}/", recursive)


def _facts(path: Path, name: str, status: os.stat_result) -> FileFacts:
    is_directory = stat.S_ISDIR(status.st_mode)
    return FileFacts(
        name=name,
        is_directory=is_directory,
        size=0 if is_directory else status.st_size,
        modified_ns=status.st_mtime_ns,
        mode=status.st_mode,
        content_type="" if is_directory else _content_type(path),
    )


def _content_type(path: Path) -> str:
    if path.suffix.lower() in _TEXT_SUFFIXES:
        return "text/plain"
    try:
        with path.open("rb") as file:
            start = file.read(_SNIFFED)
    except OSError:
        return "application/octet-stream"
    return "application/octet-stream" if b"\0" in start else "text/plain"


def delete(folder: Path, name: str, *, recursive: bool) -> None:
    """Delete a file or folder.

    Args:
        folder: that it must be in.
        name: relative, with slashes.
        recursive: also a folder that is not empty.

    Raises:
        ApiError: FileNotFound, or InvalidPropertyValue for a folder that is not empty.
    """
    # The last part is not followed: what goes is the link, not what it leads to.
    parent, _, last = name.rpartition("/")
    path = locate(folder, parent) / last
    if last in ("", ".", ".."):
        raise file_not_found()
    try:
        if path.is_symlink() or not path.is_dir():
            path.unlink()
        elif recursive:
            shutil.rmtree(path)
        else:
            path.rmdir()
    except FileNotFoundError:
        raise file_not_found() from None
    except OSError:
        raise invalid_property("recursive", "false", "The directory is not empty") from None


def parse_range(header: str, size: int) -> tuple[int, int]:
    """Read `bytes=a-b`.

    Args:
        header: of the request.
        size: of the file.

    Returns:
        First byte, and the one behind the last.

    Raises:
        ApiError: InvalidRange.
    """
    unit, _, span = header.partition("=")
    first_text, dash, last_text = span.strip().partition("-")
    if unit.strip().lower() != "bytes" or not dash or not first_text.isdigit():
        raise invalid_range(header)
    if last_text and not last_text.isdigit():
        raise invalid_range(header)
    first = int(first_text)
    behind = min(int(last_text) + 1, size) if last_text else size
    if first >= size or behind <= first:
        raise invalid_range(header)
    return first, behind
