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
from .users import User, acting_as, hand_over

NODE_FOLDERS = ("applications", "fsmounts", "shared", "startup", "volatile", "workitems")
"""What every node has below its root."""

_STREAMS = ("stdout.txt", "stderr.txt")
_UPLOAD_LOGS = ("fileuploadout.txt", "fileuploaderr.txt")
_TRIES = 3


def make_node(root: Path, *, shared_by_users: bool = False) -> None:
    """Make a node's folders; those that are there stay as they are.

    Args:
        root: of the node.
        shared_by_users: let every user in, and write to `shared`, where each can delete his own files only.
    """
    for name in NODE_FOLDERS:
        (root / name).mkdir(parents=True, exist_ok=True)
    if shared_by_users:
        root.chmod(0o755)
        (root / "shared").chmod(0o1777)


def needs_clearing(task_directory: Path) -> bool:
    """Tell whether an earlier attempt left a working directory."""
    return os.path.lexists(f"{task_directory}/wd")


def make_task(task_directory: Path, user: User | None = None, *, readable: bool = False) -> None:
    """Make a task's folder as a new attempt finds it: an empty `wd`, empty streams, no upload logs.

    Args:
        task_directory: absolute.
        user: who gets it; None where users are not told apart.
        readable: whether the other users may look into it.

    Raises:
        OSError: if that can't be done.
    """
    if user is not None:
        hand_over(task_directory, user, readable=readable)
    with acting_as(user):
        # Text, and one call where one will do: this is half of what the agent does for a task.
        working_directory = f"{task_directory}/wd"
        if needs_clearing(task_directory):
            for name in (*_STREAMS, *_UPLOAD_LOGS):
                # Not emptied: a task may have put a link or a pipe there.
                remove_tree(task_directory / name)
            remove_tree(Path(working_directory))
        try:
            os.mkdir(task_directory)  # noqa: PTH102  # as above
        except FileExistsError:
            pass
        except FileNotFoundError:
            task_directory.mkdir(parents=True)
        os.mkdir(working_directory)  # noqa: PTH102  # as above
        for name in _STREAMS:
            os.close(os.open(f"{task_directory}/{name}", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644))


def try_make_task(
    task_directory: Path, user: User | None = None, *, readable: bool = False
) -> Failure | None:
    """Make a task's folder as `make_task` does, and tell what goes wrong as a failure of the task."""
    try:
        make_task(task_directory, user, readable=readable)
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
