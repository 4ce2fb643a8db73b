"""Finds and ends what a command leaves behind, also what left its process group and its session.

How a process is known to belong to a task (Linux; elsewhere only the process group is ended):

* The agent is a *child subreaper*: whatever loses its parent below the agent becomes the agent's own
  child, however often it forked. A child that is no command of a running task is therefore a leftover of
  some task.
* Of which task: by its session, by `AZ_BATCH_TASK_DIR` in the environment it started with, or by a
  working directory inside the task's. One that changed all three can't be told from a leftover of another
  task that still runs: it is ended as soon as no command runs on the node, at the latest with the node.
* When the agent itself was killed, the service looks through all processes for the node's root in the
  environment, and for the sessions that the agent reported. One that left its session with an empty
  environment survives that.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import time
from collections.abc import Collection, Iterator
from pathlib import Path

_PR_SET_CHILD_SUBREAPER = 36
_PROC = Path("/proc")
_PAUSE = 0.01


def become_subreaper() -> bool:
    """Make this process the parent of all orphans below it.

    Returns:
        Whether the system can do that.
    """
    try:
        return bool(ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0)
    except (AttributeError, OSError):
        return False


def children() -> set[int]:
    """Give the process ids of this process's children, ended ones that nobody waited for included."""
    found: set[int] = set()
    try:
        for thread in os.listdir("/proc/self/task"):  # noqa: PTH208  # for every task that ends: the cheap way counts
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # a thread that just ended
                found.update(map(int, Path(f"/proc/self/task/{thread}/children").read_bytes().split()))
    except OSError:  # no /proc at all: only process groups are ended then
        return set()
    return found


def marker(name: str, value: str) -> bytes:
    """Give the bytes by which an environment variable stands in `/proc/PID/environ`."""
    return b"\0" + os.fsencode(f"{name}={value}") + b"\0"


def marker_below(name: str, folder: Path) -> bytes:
    """Give the bytes by which a variable stands there whose value is a path below a folder."""
    return b"\0" + os.fsencode(f"{name}={folder}/")


def carries(pid: int, mark: bytes) -> bool:
    """Tell whether a process started with this variable; no if it can't be read or is over."""
    try:
        return mark in b"\0" + (_PROC / str(pid) / "environ").read_bytes() + b"\0"
    except OSError:
        return False


def works_in(pid: int, folder: Path) -> bool:
    """Tell whether a process's working directory is a folder or below it; no if it can't be read."""
    try:
        return (_PROC / str(pid) / "cwd").readlink().is_relative_to(folder)
    except OSError:
        return False


def session_of(pid: int) -> int | None:
    """Give a process's session, None if the process is over."""
    try:
        return os.getsid(pid)
    except OSError:
        return None


def user_of(pid: int) -> int | None:
    """Give the user id that a process runs with, None if it is over."""
    try:
        text = (_PROC / str(pid) / "status").read_text(errors="replace")
    except OSError:
        return None
    return next((int(line.split()[1]) for line in text.splitlines() if line.startswith("Uid:")), None)


def send_kill(pid: int) -> None:
    """End a process at once; one that is over already is fine."""
    with contextlib.suppress(OSError):
        os.kill(pid, signal.SIGKILL)


def send_kill_to_group(pid: int) -> None:
    """End a process group at once; its leader must not have been waited for: the number could be reused."""
    with contextlib.suppress(OSError):
        os.killpg(pid, signal.SIGKILL)


def kill_everywhere(
    mark: bytes, sessions: Collection[int], *, users: Collection[int] = (), limit: float = 5.0
) -> bool:
    """End every process with a mark, in one of some sessions or of some users; blocks while they die.

    Args:
        mark: see `marker` and `marker_below`.
        sessions: session ids.
        users: user ids.
        limit: seconds.

    Returns:
        Whether none is left; no after the limit (a process stuck in the kernel).
    """
    deadline = time.monotonic() + limit

    def wanted(pid: int) -> bool:
        return carries(pid, mark) or session_of(pid) in sessions or bool(users and user_of(pid) in users)

    while found := [pid for pid in _living() if wanted(pid)]:
        for pid in found:
            send_kill(pid)
        if time.monotonic() > deadline:
            return False
        # They die at once as a rule, but not before `kill` returns, and may have forked in between: look
        # again.
        time.sleep(_PAUSE)
    return True


def _living() -> Iterator[int]:
    """Give every process but this one and the ended ones that wait for their parent."""
    try:
        names = os.listdir(_PROC)  # noqa: PTH208  # names are all it needs
    except OSError:
        return
    for name in names:
        if not name.isdigit() or int(name) == os.getpid():
            continue
        with contextlib.suppress(OSError, IndexError):
            # "PID (NAME) STATE ...": the name may hold anything, the last bracket ends it.
            if (_PROC / name / "stat").read_bytes().rpartition(b")")[2].split()[0] not in {b"Z", b"X"}:
                yield int(name)
