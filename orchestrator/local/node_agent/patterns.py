"""The file patterns of output files, and the blob names that follow from them.

Facts: a pattern is relative to `wd` or absolute; environment variables are expanded first (`$NAME`); `*`
is any characters in one segment, `**` any number of folders, `?` one character, `[abc]`, `[a-c]`,
`[!abc]` sets, `[*]` an escape; a name that starts with a dot only matches a segment that starts with one.
A literal pattern's destination path is the blob's name, its file name if there is none; a wildcard's is a
folder before the path below the pattern's fixed part.

Open points, decided here: `${NAME}` is expanded too; an unknown variable stays as it stands; the value of
an `AZ_BATCH_…` variable is a path and never a wildcard; a last segment `**` is every file below; `**`
does not walk through links to folders; a `..` after a wildcard matches nothing.
"""

from __future__ import annotations

import fnmatch
import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

_VARIABLE = re.compile(r"\$(?:\{(?P<braced>[A-Za-z_]\w*)\}|(?P<plain>[A-Za-z_]\w*))", re.ASCII)
_SPECIAL = re.compile(r"([*?\[])")
_ANY_FOLDERS = "**"


@dataclass(frozen=True)
class Match:
    """A file that goes up.

    Args:
        path: absolute.
        blob_name: where to.
    """

    path: Path
    blob_name: str


def expand(pattern: str, environment: Mapping[str, str]) -> str:
    """Put environment variables' values in.

    Args:
        pattern: as the user gave it.
        environment: of the task.

    Returns:
        A pattern without variables that are known.
    """

    def value(found: re.Match[str]) -> str:
        name = found["braced"] or found["plain"]
        text = environment.get(name)
        if text is None:
            return found[0]
        return _SPECIAL.sub(r"[\1]", text) if name.startswith("AZ_BATCH_") else text

    return _VARIABLE.sub(value, pattern)


def is_wildcard(pattern: str) -> bool:
    """Tell whether a pattern can match more than the one file that it names."""
    return _SPECIAL.search(re.sub(r"\[[*?\[]\]", "", pattern)) is not None


def unescape(pattern: str) -> str:
    """Give the name that a pattern without wildcards names: `[*]` is a star."""
    return re.sub(r"\[([*?\[])\]", r"\1", pattern)


def find(
    pattern: str, destination: str | None, *, working_directory: Path, environment: Mapping[str, str]
) -> list[Match]:
    """Find the files of one output file specification.

    Args:
        pattern: `filePattern`.
        destination: `path` of the container destination.
        working_directory: absolute.
        environment: of the task.

    Returns:
        Matches in the order of their paths; none is not an error.
    """
    expanded = expand(pattern, environment)
    prefix = destination or ""
    if not is_wildcard(expanded):
        path = working_directory / unescape(expanded)
        return [Match(path, prefix or path.name)] if path.is_file() else []
    fixed, wild = _split(expanded)
    start = working_directory / fixed
    prefix = f"{prefix.rstrip('/')}/" if prefix else ""
    names = dict.fromkeys(sorted(_walk(start, wild)))  # `**` can reach one file in two ways
    return [Match(start / name, prefix + name) for name in names]


def _split(pattern: str) -> tuple[str, list[str]]:
    """Split into the fixed part and the segments from the first wildcard (or the last segment) on."""
    segments = pattern.split("/")
    first = next(index for index, segment in enumerate(segments) if is_wildcard(segment))
    fixed = [unescape(segment) for segment in segments[:first]]
    wild = [segment for segment in segments[first:] if segment not in {"", os.curdir}]
    if wild[-1] == _ANY_FOLDERS:
        wild.append("*")
    return "/".join(fixed) + ("/" if fixed else ""), wild


def _walk(folder: Path, segments: list[str], done: str = "") -> Iterator[str]:
    """Give the paths below a folder that match, relative to where the walk began."""
    segment, rest = segments[0], segments[1:]
    if segment == os.pardir:
        return
    if segment == _ANY_FOLDERS and rest:
        yield from _walk(folder, rest, done)
        for entry in _entries(folder):
            if not entry.name.startswith(".") and entry.is_dir(follow_symlinks=False):
                yield from _walk(Path(entry.path), segments, f"{done}{entry.name}/")
        return
    accepts = segment_matcher(segment)
    for entry in _entries(folder):
        if not accepts(entry.name):
            continue
        if not rest and _is_file(entry):
            yield done + entry.name
        elif rest and entry.is_dir():
            yield from _walk(Path(entry.path), rest, f"{done}{entry.name}/")


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except OSError:  # not there, not a folder, not readable: matches nothing
        return []


def _is_file(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_file()
    except OSError:  # a loop of links
        return False


@lru_cache(maxsize=256)
def segment_matcher(segment: str) -> Callable[[str], bool]:
    """Make the test for one segment of a pattern.

    Args:
        segment: without slashes.

    Returns:
        Tells whether a name matches.
    """
    expression = re.compile(fnmatch.translate(segment)).match
    hidden_too = segment.startswith(".")

    def accepts(name: str) -> bool:
        return expression(name) is not None and (hidden_too or not name.startswith("."))

    return accepts
