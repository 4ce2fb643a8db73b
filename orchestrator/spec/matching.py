"""The files that a pattern matches, in one order whatever the disk's.

Python's own glob follows links to folders below `**`, so that a link to its own parent gives every file forty
times, and passes over folders that can't be read.
"""

from __future__ import annotations

import fnmatch
import os
import re
from collections.abc import Callable, Iterator

_MAGIC = re.compile(r"[*?\[]")


def match_files(pattern: str, base_dir: str) -> list[str]:
    """The paths that a pattern matches, folders left out, sorted by their names, each once.

    `*`, `?` and `[...]` match within a name and `**` any number of folders, links to folders not followed.
    Hidden files and folders match only a part of the pattern that begins with a dot itself.

    Args:
        pattern: relative to `base_dir`, or absolute.
        base_dir: where to look.

    Returns:
        Absolute paths, of whatever is not a folder: also links that lead nowhere.

    Raises:
        OSError: a folder on the way can't be read.
    """
    root = os.path.abspath(base_dir)  # noqa: PTH100 - paths of a hundred thousand files stay text here
    parts = [part for part in pattern.split("/") if part not in ("", ".")]
    if pattern.startswith("/"):
        root = "/"
    return sorted_once([os.path.normpath(path) for path in _match(root, parts)]) if parts else []


def sorted_once(paths: list[str]) -> list[str]:
    """Sort paths in place, and leave out what is there twice: a set of them would take as much again.

    Returns:
        The same list.
    """
    paths.sort()
    kept = 0
    for path in paths:
        if not kept or path != paths[kept - 1]:
            paths[kept] = path
            kept += 1
    del paths[kept:]
    return paths


def _match(folder: str, parts: list[str]) -> Iterator[str]:
    part, *others = parts
    if part == "**":
        # "**" alone means everything below, as in a shell.
        yield from _match(folder, others or ["*"])
        for name, entry in _entries(folder):
            if not name.startswith(".") and entry.is_dir(follow_symlinks=False):
                yield from _match(os.path.join(folder, name), parts)  # noqa: PTH118 - as above
        return
    for path, is_folder in _named(folder, part):
        if others and is_folder:
            yield from _match(path, others)
        elif not others and not is_folder:
            yield path


def _named(folder: str, part: str) -> Iterator[tuple[str, bool]]:
    """What a part of a pattern matches in a folder, and whether that is a folder (or a link to one)."""
    if not _MAGIC.search(part):
        path = os.path.join(folder, part)  # noqa: PTH118 - as above
        if os.path.lexists(path):
            yield path, os.path.isdir(path)  # noqa: PTH112 - as above
        return
    matches = _matcher(part)
    for name, entry in _entries(folder):
        if matches(name):
            yield entry.path, entry.is_dir()


def _matcher(part: str) -> Callable[[str], object]:
    matches = re.compile(fnmatch.translate(part)).match
    if part.startswith("."):
        return matches
    return lambda name: not name.startswith(".") and matches(name)


def _entries(folder: str) -> Iterator[tuple[str, os.DirEntry[str]]]:
    with os.scandir(folder) as entries:
        yield from ((entry.name, entry) for entry in entries)
