"""Puts small files of one task in their places, several in one go. Blocks.

What each file costs is calls of the operating system, and at each of them a fight with the event loop for
Python's lock: so the folder is opened once, and the list of what is ours is written to once.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Sequence
from typing import NamedTuple

from orchestrator.errors import DownloadError
from orchestrator.handlers.result_files import FILE_FLAGS, TaskFolder
from orchestrator.handlers.result_ledger import FileDigest
from orchestrator.handlers.result_paths import disk_trouble, temporary_name


class SmallFile(NamedTuple):
    """A file whose content is here.

    Args:
        path: as it was claimed.
        content: all of it.
        size: that it must have, in bytes; None if nobody has told.
        md5s: that it must have; as many as somebody has told.
    """

    path: str
    content: bytes
    size: int | None
    md5s: Sequence[bytes]


def put_small_files(home: TaskFolder, files: Sequence[SmallFile]) -> dict[str, DownloadError | None]:
    """Check files and put them in their places; what is wrong with one is no business of the others.

    Args:
        home: the folder of their task.
        files: at most one of a path.

    Returns:
        By path what is wrong; None where the file is in its place.
    """
    found: dict[str, DownloadError | None] = {}
    folders: dict[str, list[tuple[SmallFile, FileDigest]]] = {}
    for file in files:
        md5 = hashlib.md5(file.content, usedforsecurity=False)
        if (wrong := _wrong(file, md5.digest())) is not None:
            found[file.path] = DownloadError(wrong)
        else:
            digest = FileDigest(len(file.content), md5.hexdigest())
            folders.setdefault(file.path.rpartition("/")[0], []).append((file, digest))
    for parents, group in folders.items():
        found.update(_put_together(home, parents, group))
    return {
        path: error and DownloadError(str(error), key=home.key, path=path) for path, error in found.items()
    }


def _wrong(file: SmallFile, md5: bytes) -> str | None:
    if file.size is not None and file.size != len(file.content):
        return f"{len(file.content)} bytes came, {file.size} were to come"
    if any(told != md5 for told in file.md5s):
        return "its MD5 is not the one that was to come"
    return None


def _put_together(
    home: TaskFolder, parents: str, group: Sequence[tuple[SmallFile, FileDigest]]
) -> dict[str, DownloadError | None]:
    """Put files of one folder in their places."""
    try:
        folder = home.open(parents.split("/") if parents else ())
        try:
            obstacles = home.admit(folder, [(file.path, digest) for file, digest in group])
            return {
                file.path: _put(folder, file) if obstacle is None else obstacle
                for (file, _), obstacle in zip(group, obstacles, strict=True)
            }
        finally:
            os.close(folder)
    except OSError as error:
        trouble = DownloadError(disk_trouble(error))
        return {file.path: trouble for file, _ in group}


def _put(folder: int, file: SmallFile) -> DownloadError | None:
    name = file.path.rpartition("/")[2]
    temporary = temporary_name(name)
    try:
        try:
            _write(folder, temporary, file.content)
        except FileExistsError:  # a killed run has left it, or somebody has put a link there
            os.unlink(temporary, dir_fd=folder)
            _write(folder, temporary, file.content)
        os.replace(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
    except OSError as error:
        with contextlib.suppress(OSError):
            os.unlink(temporary, dir_fd=folder)
        return DownloadError(disk_trouble(error))
    return None


def _write(folder: int, name: str, content: bytes) -> None:
    file = os.open(name, FILE_FLAGS, 0o666, dir_fd=folder)
    try:
        rest = memoryview(content)
        while rest:
            rest = rest[os.write(file, rest) :]
    finally:
        os.close(file)
