"""Keeps every path that comes from outside below the folder it belongs to."""

from __future__ import annotations

import os
from pathlib import Path


class EscapeError(ValueError):
    """A path must be relative, without `..` and without NUL: it may not leave its folder."""


def inside(folder: Path, relative: str, *, allow_folder_itself: bool = False) -> Path:
    """Join a path from outside to a folder.

    The check is of the words only. Symbolic links are not followed here: who deletes or writes through
    the result must not follow them either.

    Args:
        folder: absolute.
        relative: with `/` between segments; empty segments and `.` are dropped.
        allow_folder_itself: whether a path of no segments is right.

    Returns:
        The joined path.

    Raises:
        EscapeError: if it is absolute, has a `..` segment or a NUL, or names the folder itself.
    """
    if relative.startswith("/") or "\0" in relative:
        raise EscapeError(f"not a relative path: {relative!r}")
    segments = [segment for segment in relative.split("/") if segment not in {"", os.curdir}]
    if os.pardir in segments:
        raise EscapeError(f"a path may not climb with '..': {relative!r}")
    if not segments and not allow_folder_itself:
        raise EscapeError(f"an empty path: {relative!r}")
    return folder.joinpath(*segments)
