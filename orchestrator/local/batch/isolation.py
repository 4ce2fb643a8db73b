"""Users of a node's own: whether this process can make any, and a range of user ids for each node.

The ids need no names and lie where no distribution, container manager or directory service puts any. Who
uses which range on this machine is settled by abstract sockets: they need no file and end with their process.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import socket
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

_FIRST: Final = 2_000_000_000
_SIZE: Final = 1 << 16
_BLOCKS: Final = 2_200
_NEEDED: Final = {"CHOWN": 0, "DAC_OVERRIDE": 1, "FOWNER": 3, "KILL": 5, "SETGID": 6, "SETUID": 7}
"""Capabilities (capabilities(7)) by their numbers."""

_ENTER_FOR_ALL: Final = 0o001
_PASSED_THROUGH: Final = 0o711


class IsolationError(RuntimeError):
    """Tasks can't have users of their own here; the message says what is in the way."""


@dataclass(frozen=True, kw_only=True, slots=True)
class UserRange:
    """User ids that are one node's, until it is closed.

    Args:
        number: of the range.
        claim: what keeps others away.
    """

    number: int
    claim: socket.socket

    @classmethod
    def take(cls, preferred: int | None) -> Self:
        """Take a range that nobody on this machine uses.

        Args:
            preferred: the one that files of an earlier run belong to.

        Raises:
            IsolationError: if there is none.
        """
        # From anywhere: files of another node that has ended may still be there.
        begin = secrets.randbelow(_BLOCKS)
        numbers = [(begin + step) % _BLOCKS for step in range(_BLOCKS)]
        for number in numbers if preferred is None else (preferred % _BLOCKS, *numbers):
            claim = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            try:
                claim.bind(f"\0orchestrator-local-users-{number}")
            except OSError:
                claim.close()
            else:
                return cls(number=number, claim=claim)
        raise IsolationError("every range of user ids is in use by some node on this machine")

    @classmethod
    def of_node(cls, root: Path) -> Self:
        """Take the range that a node had before, or another one; blocks.

        Args:
            root: of the node; the range is noted there.

        Raises:
            IsolationError: if there is none.
            OSError: if the note can't be written.
        """
        note = root / "volatile" / "users"
        preferred = None
        with contextlib.suppress(OSError, ValueError):
            preferred = int(note.read_text())
        users = cls.take(preferred)
        try:
            note.parent.mkdir(parents=True, exist_ok=True)
            note.write_text(str(users.number))
        except BaseException:
            users.close()
            raise
        return users

    @property
    def uids(self) -> range:
        """The user ids."""
        first = _FIRST + self.number * _SIZE
        return range(first, first + _SIZE)

    def close(self) -> None:
        """Let others have it; nothing may run as one of its users any more."""
        self.claim.close()


def check_isolation(folder: Path) -> None:
    """Refuse to go on if tasks can't have users of their own.

    Args:
        folder: that the nodes will be in.

    Raises:
        IsolationError: if something is in the way.
    """
    if sys.platform != "linux":
        raise IsolationError("--isolate-users needs Linux")
    if os.geteuid() != 0:
        raise IsolationError("--isolate-users needs root: start the service as root, or without it")
    missing = [name for name, bit in _NEEDED.items() if not _capabilities() >> bit & 1]
    if missing:
        raise IsolationError(f"--isolate-users needs capabilities that this root lacks: {', '.join(missing)}")
    for name in ("uid_map", "gid_map"):
        if not _maps_all(Path("/proc/self", name).read_text()):
            raise IsolationError(f"--isolate-users needs user ids from {_FIRST}, which this container lacks")
    for parent in folder.absolute().parents:
        if parent.exists() and not parent.stat().st_mode & _ENTER_FOR_ALL:
            raise IsolationError(
                f"--isolate-users: other users can't enter {parent}; name a --state-dir that is not below it"
            )


def open_way(state: Path, batch_data: Path) -> None:
    """Let tasks' users through to the nodes' folders, and to nothing else; blocks.

    Args:
        state: the state directory, private until now.
        batch_data: in it; holds the nodes and things that are none of the tasks' business.

    Raises:
        OSError: if that can't be done.
    """
    nodes = batch_data / "nodes"
    nodes.mkdir(parents=True, exist_ok=True)
    for path in (nodes, batch_data, state):
        # To pass through only: what else is there is private by its own modes.
        path.chmod(_PASSED_THROUGH)


def _capabilities() -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("CapEff:"):
            return int(line.split()[1], 16)
    return 0


def _maps_all(mapping: str) -> bool:
    """Tell whether a user namespace knows all our ids; see user_namespaces(7)."""
    ranges = (list(map(int, line.split())) for line in mapping.splitlines())
    return any(first <= _FIRST and first + count >= _FIRST + _BLOCKS * _SIZE for first, _, count in ranges)
