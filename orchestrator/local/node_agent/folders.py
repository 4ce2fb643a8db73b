"""The folders of a node: its fixed layout, a fresh `wd` for every attempt, and the removal of what is over.

Facts: documented layout of a node's root; the working directory is emptied before a command runs again;
`stdout.txt` and `stderr.txt` exist, empty, even if the program is not found (recorded).
"""

from __future__ import annotations

import contextlib
import os
import stat
from pathlib import Path

from .failures import DiskStep, Failure, disk_failure

NODE_FOLDERS = ("applications", "fsmounts", "shared", "startup", "volatile", "workitems")
"""What every node has below its root."""

_TRIES = 3


def make_node(root: Path) -> None:
    """Make a node's folders; those that are there stay as they are."""
    for name in NODE_FOLDERS:
        (root / name).mkdir(parents=True, exist_ok=True)


def needs_clearing(task_directory: Path) -> bool:
    """Tell whether an earlier attempt left a working directory."""
    return os.path.lexists(task_directory / "wd")


def make_task(task_directory: Path) -> None:
    """Make a task's folder as a new attempt finds it: an empty `wd`, empty streams, no upload logs.

    Raises:
        OSError: if that can't be done.
    """
    working_directory = task_directory / "wd"
    if needs_clearing(task_directory):
        remove_tree(working_directory)
    working_directory.mkdir(parents=True)
    for name in ("stdout.txt", "stderr.txt"):
        os.close(os.open(task_directory / name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644))
    for name in ("fileuploadout.txt", "fileuploaderr.txt"):
        with contextlib.suppress(FileNotFoundError):
            (task_directory / name).unlink()


def try_make_task(task_directory: Path) -> Failure | None:
    """Make a task's folder as `make_task` does, and tell what goes wrong as a failure of the task."""
    try:
        make_task(task_directory)
    except OSError as error:
        return disk_failure(DiskStep.DIRECTORY, "wd", error)
    return None


def remove_tree(path: Path) -> None:
    """Delete a file or a folder with all in it; nothing there is fine, links are not followed.

    Args:
        path: absolute.

    Raises:
        OSError: if something stays.
    """
    for attempt in range(1, _TRIES + 1):
        try:
            if not stat.S_ISDIR(path.lstat().st_mode):
                path.unlink()
            else:
                import shutil  # noqa: PLC0415  # its compression modules cost every node 2 MiB and 12 ms

                shutil.rmtree(path)
        except FileNotFoundError:
            if not os.path.lexists(path):
                return
        except OSError as error:
            # A task may take its own permissions away, or a leftover may still write: open up and try again.
            if attempt == _TRIES:
                raise
            if isinstance(error, PermissionError):
                _open_up(path)
        else:
            return


def _open_up(path: Path) -> None:
    """Let the owner into every folder of a tree; `os.walk` looks into one only after it was handed out."""
    path.chmod(stat.S_IRWXU)
    for folder, names, _ in os.walk(path):
        for name in names:
            with contextlib.suppress(OSError):
                child = Path(folder, name)
                if not child.is_symlink():
                    child.chmod(stat.S_IRWXU)
