"""The manifest: which outputs a task has uploaded. It goes up last, so that what it names is there.

Its form, which the orchestrator reads::

    {"version": 1, "files": [{"path": "a_OUTPUT.txt", "size": 123, "md5": "XrY7u+Ae7tCTyyK7j1rNww=="}]}

``path`` is relative to the task's working directory, with slashes; the blob is ``PREFIX/PATH``. ``md5`` is in
the form of the Content-MD5 header.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path, PurePath
from typing import Iterable

from node_task.checksum import Checksum
from node_task.errors import UsageError
from node_task.text import pieces_of

NAME = "manifest.json"
VERSION = 1


@dataclass(frozen=True)
class FileEntry:
    """One uploaded file.

    Attributes:
        path: Relative to the working directory, with slashes.
        size: In bytes.
        md5: In the form of the Content-MD5 header.
    """

    path: str
    size: int
    md5: str


def manifest_path(path: Path, directory: Path) -> str:
    """The path of an output as the manifest and the blob's name have it.

    Args:
        path: The output, absolute or relative to the current directory.
        directory: The task's working directory.

    Returns:
        The path relative to the working directory, with slashes.

    Raises:
        UsageError: The output lies elsewhere, is named like the manifest, or not in Unicode.
    """
    relative = PurePath(os.path.relpath(path, directory))
    if relative.parts[:1] in ((), (os.pardir,)):
        raise UsageError(f"cannot upload {str(path)!r}: it is not below the working directory")
    try:
        # By the bytes, whatever encoding the locale makes Python see in file names.
        name = os.fsencode(relative.as_posix()).decode("utf-8")
    except UnicodeDecodeError:
        raise UsageError(f"cannot upload {str(path)!r}: a blob's name has to be Unicode") from None
    if name == NAME:
        raise UsageError(f"cannot upload {str(path)!r}: that is the manifest's own name")
    return name


def describe(path: Path, name: str) -> FileEntry:
    """Measures an output.

    Args:
        path: The file.
        name: Its path as ``manifest_path`` gives it.

    Returns:
        The file's entry.

    Raises:
        FileError: The file cannot be read.
    """
    checksum = Checksum()
    for piece in pieces_of(path):
        checksum.feed(piece)
    return FileEntry(path=name, size=checksum.size, md5=checksum.content_md5())


def to_json(files: Iterable[FileEntry]) -> bytes:
    """Writes the manifest.

    Args:
        files: What it names.

    Returns:
        JSON in ASCII, the files in the order of their paths.
    """
    listed = [asdict(file) for file in sorted(files, key=lambda file: file.path)]
    return json.dumps({"version": VERSION, "files": listed}).encode("ascii") + b"\n"
