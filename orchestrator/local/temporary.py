"""Temporary folders of local services: those whose holders were killed are removed by the next service.

A holder has a lock on a file in the folder for as long as it lives: the service on the state directory
that it keeps there, and a program that starts the service for itself on the folder as a whole.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from orchestrator.local.node_agent import processes

PREFIX = "orchestrator-local-"
_LOCKS = ("lock", "state/lock")
"""Of the folder as a state directory or as a whole, and of a state directory in it."""


def remove_abandoned() -> None:
    """Remove the temporary folders of this user whose holders are all dead; blocks.

    A folder without any lock may belong to a program that has just begun: it stays.
    """
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError), contextlib.ExitStack() as stack:
            if folder.is_symlink() or folder.lstat().st_uid != os.getuid():
                continue
            held = [stack.enter_context(_holding(folder / name)) for name in _LOCKS]
            if any(held) and all(one is not False for one in held):
                # Its nodes and their tasks may have outlived a service that was killed.
                mark = processes.marker_below("AZ_BATCH_NODE_ROOT_DIR", folder)
                processes.kill_everywhere(mark, ())
                shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def _holding(path: Path) -> Iterator[bool | None]:
    """Take a lock; False if somebody has it or is about to, None if there is none to take."""
    try:
        lock = os.open(path, os.O_RDWR | os.O_NOFOLLOW)
    except FileNotFoundError:
        yield None
        return
    try:
        # A holder writes its number once it has the lock: without one it is just taking it, and must get it.
        taken = bool(os.pread(lock, 1, 0))
        if taken:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        taken = False
    try:
        yield taken
    finally:
        os.close(lock)
