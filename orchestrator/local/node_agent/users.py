"""The users of a node: as whom a command runs, and how the agent touches that user's files.

A node has a range of user ids of its own, which need no names: one for everything with pool scope, one for
each named account, a fresh one for each task with task scope. All are in one group.

Whatever a user can write to, the agent touches with that user's rights only (the *file system user id* of a
thread, Linux): a link that a task leaves leads the agent nowhere that the task could not go by itself.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from . import failures

ADMINISTRATOR = "admin"
POOL = "pool"
TASK = "task"

_PR_SET_NO_NEW_PRIVS = 38
_NOBODY = ctypes.c_uint(0xFFFFFFFF)
_PRIVATE = 0o700
_READABLE = 0o755


@dataclass(frozen=True)
class User:
    """Somebody who may run commands.

    Args:
        uid: user id; 0 is the agent itself, an administrator.
        gid: group id.
        alone: whether no other task runs as this user.
    """

    uid: int
    gid: int
    alone: bool = False


AGENT = User(0, 0)
"""Root, who may become all others, and administrators' tasks."""

_isolating = False


class Users:
    """Hands out the users of a node.

    Args:
        first: of its user ids; also its group id.
        count: of user ids.
    """

    def __init__(self, first: int, count: int) -> None:
        self._first = first
        self._count = count
        self._used = 1
        # Known again after a restart, like its files.
        self._named = {POOL: first}
        self._homes: dict[int, Path] = {}

    def prepare(self, root: Path) -> None:
        """Give up, for the agent and all it starts, what no command is to have; find who has files already.

        Args:
            root: of the node.

        Raises:
            OSError: if the system does not let this process change its users.
        """
        for directory in root.glob("workitems/*/*/*"):
            self._homes[directory.lstat().st_uid] = directory
        # Now: see `acting_as`.
        import shutil  # noqa: F401, PLC0415  # only nodes that need it carry it
        import subprocess  # noqa: F401, PLC0415  # as above

        global _isolating  # noqa: PLW0603  # it is a fact about the process
        _isolating = True
        os.setgroups([])
        _no_new_privileges()
        with acting_as(User(self._first, self._first)):
            pass

    def find(self, name: str, directory: Path) -> User:
        """Give the user for a command.

        Args:
            name: `ADMINISTRATOR`, `TASK`, or whatever stands for one and the same user every time.
            directory: of the task; an attempt after the first finds its user as the owner.

        Raises:
            NodeFailure: if every user has a folder here.
        """
        if name == ADMINISTRATOR:
            return AGENT
        if name != TASK:
            if name not in self._named:
                self._named[name] = self._fresh(None)
            return User(self._named[name], self._first)
        with contextlib.suppress(FileNotFoundError):
            owner = directory.lstat().st_uid
            if self._homes.get(owner) == directory:
                return User(owner, self._first, alone=True)
        return User(self._fresh(directory), self._first, alone=True)

    def _fresh(self, home: Path | None) -> int:
        for _ in range(self._count):
            uid = self._first + self._used % self._count
            self._used += 1
            # After the first round: whose folder is still there would be open to the next one.
            if uid not in self._named.values() and not (
                uid in self._homes and os.path.lexists(self._homes[uid])
            ):
                if home is not None:
                    self._homes[uid] = home
                return uid
        raise failures.NodeFailure(failures.command_launch_failed("the node has no user left for the task"))


def hand_over(directory: Path, user: User, *, readable: bool) -> None:
    """Make a task's folder its user's own; one that is another's is emptied first.

    Args:
        directory: in a folder that no task may write to.
        user: to whom it goes.
        readable: whether the other users may look into it.

    Raises:
        OSError: if that can't be done.
    """
    from . import folders  # noqa: PLC0415  # which imports this

    directory.parent.mkdir(parents=True, exist_ok=True)
    if os.path.lexists(directory) and directory.lstat().st_uid != user.uid:
        folders.remove_tree(directory)
    directory.mkdir(exist_ok=True)
    os.chown(directory, user.uid, user.gid, follow_symlinks=False)
    directory.chmod(_READABLE if readable else _PRIVATE)


@contextlib.contextmanager
def acting_as(user: User | None) -> Iterator[None]:
    """Have this thread's access to files be a user's, for a while; other threads are not concerned.

    Nothing may be imported meanwhile: where Python's own files are may be closed to the user.

    Args:
        user: None changes nothing.

    Raises:
        PermissionError: if the system refuses.
    """
    if user is None:
        yield
        return
    before = _present()
    if user.uid == before.uid:
        yield
        return
    try:
        _become(user)
        yield
    finally:
        _become(before)


@contextlib.contextmanager
def acting_as_the_agent() -> Iterator[None]:
    """Undo `acting_as` for a while, for what needs the machine's own files, such as a connection."""
    with acting_as(AGENT if _isolating else None):
        yield


def _present() -> User:
    system = _system()
    # What asks for no valid id changes nothing, and tells the present one.
    uid, gid = system.setfsuid(_NOBODY), system.setfsgid(_NOBODY)
    return User(ctypes.c_uint(uid).value, ctypes.c_uint(gid).value)


def _become(user: User) -> None:
    system = _system()
    # Group and rights go with the user id 0, so it comes first on the way back, and last on the way there.
    steps = [(system.setfsgid, user.gid), (system.setfsuid, user.uid)]
    for call, number in reversed(steps) if user.uid == 0 else steps:
        call(ctypes.c_uint(number))
    # Neither call tells of a failure.
    if (now := _present()).uid != user.uid or now.gid != user.gid:
        raise PermissionError(f"this process may not act as user {user.uid}")


@functools.cache
def _system() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _no_new_privileges() -> None:
    if _system().prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "no_new_privs can't be set")
