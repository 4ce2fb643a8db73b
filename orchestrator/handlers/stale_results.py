"""Removes what earlier runs of a job have left for tasks that it has no longer."""

from __future__ import annotations

import os
from collections.abc import Collection, Container, Sequence
from pathlib import Path

from orchestrator.handlers.result_ledger import FOLDER, FileDigest, digest_of, vouched_for

_FOLDER_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC


def remove_stale(folder: Path, tasks: Container[str]) -> tuple[str, ...]:
    """Remove the files of tasks that are not among these; only what a run of this job wrote, as it wrote it.

    A file that somebody has changed since, and what nobody vouches for, stays. No link is followed. Blocks.

    Args:
        folder: of the job's results.
        tasks: the ids of the tasks that the job has now.

    Returns:
        What was removed, relative to the folder.

    Raises:
        OSError: the folder can't be read.
    """
    if not (folder / FOLDER).is_dir():
        return ()
    opened = os.open(folder, _FOLDER_FLAGS)
    try:
        # A task id is no folder's name where it could lead elsewhere, so a path that does is nobody's.
        known = vouched_for(opened, lambda path: path.partition("/")[0] not in tasks)
        removed = tuple(path for path, digests in known.items() if _remove(path, opened, digests))
        _remove_emptied(removed, opened)
        return removed
    finally:
        os.close(opened)


def _remove_emptied(removed: tuple[str, ...], folder: int) -> None:
    parents = {path.rpartition("/")[0] for path in removed}
    for longest in sorted(parents, key=len, reverse=True):
        parent = longest
        while parent:  # those above it too, as far as they are empty now
            try:
                os.rmdir(parent, dir_fd=folder)
            except OSError:
                break
            parent = parent.rpartition("/")[0]


def _remove(path: str, folder: int, known: Collection[FileDigest]) -> bool:
    *parents, name = path.split("/")
    if not parents or ".." in parents:
        return False
    try:
        return _remove_vouched(parents, name, folder, known)
    except OSError:
        return False  # gone already, a link, or not ours to remove


def _remove_vouched(parents: Sequence[str], name: str, folder: int, known: Collection[FileDigest]) -> bool:
    current = os.dup(folder)
    try:
        for parent in parents:
            deeper = os.open(parent, _FOLDER_FLAGS, dir_fd=current)
            os.close(current)
            current = deeper
        file = os.open(name, _FILE_FLAGS, dir_fd=current)
        try:
            vouched = digest_of(file) in known
        finally:
            os.close(file)
        if vouched:
            os.unlink(name, dir_fd=current)
        return vouched
    finally:
        os.close(current)
