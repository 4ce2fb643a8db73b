"""One program at a time drives a run: a lock that vanishes with its holder, however that ends."""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
import weakref
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from urllib.parse import quote

import msgspec

from orchestrator.errors import JournalError, RunHeldError


class Holder(msgspec.Struct, frozen=True, kw_only=True):
    """Who holds a run.

    Args:
        pid: of its process.
        host: the machine it runs on.
        since: when it took the run.
    """

    pid: int
    host: str
    since: datetime

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}, since {self.since:%Y-%m-%d %H:%M:%S} UTC"


_HOLDER: Final = msgspec.json.Decoder(Holder)  # see orchestrator/spec/convert.py on threads


class RunHold:
    """The right to drive one run, until `release` or the end of this process.

    Attributes:
        run_id: of the run.
        holder: this process.
    """

    def __init__(self, run_id: str, holder: Holder, descriptor: int) -> None:
        self.run_id = run_id
        self.holder = holder
        self._descriptor: int | None = descriptor
        _held.add(self)

    def release(self) -> None:
        """Let others have the run. May be called twice."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)

    def __del__(self) -> None:
        self.release()


_held: weakref.WeakSet[RunHold] = weakref.WeakSet()


def _let_go_in_a_fork() -> None:
    # The lock belongs to the open file, which a fork shares: the child would go on holding the run after its
    # parent's death. Closing the child's descriptor does not unlock the parent's.
    for hold in tuple(_held):
        hold.release()


os.register_at_fork(after_in_child=_let_go_in_a_fork)


def lock_folder(journal: Path) -> Path:
    """Where the locks of a journal's runs are."""
    return journal.with_name(f"{journal.name}.locks")


def lock_path(journal: Path, run_id: str) -> Path:
    """The file that stands for a run."""
    return lock_folder(journal) / f"{quote(run_id, safe='')}.lock"


def take(journal: Path, run_id: str) -> RunHold:
    """Take a run, at once or not at all. Blocks for disk.

    Args:
        journal: its file, beside which the locks are.
        run_id: of the run.

    Raises:
        RunHeldError: another program, or another part of this one, has it.
        JournalError: the folder of the locks can't be written.
    """
    path = lock_path(journal, run_id)
    try:
        with contextlib.suppress(FileExistsError):
            path.parent.mkdir(mode=0o700)
        while True:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if not _still_there(path, descriptor):
                    # Whoever pruned the run removed the file between our opening and our locking it.
                    os.close(descriptor)
                    continue
                holder = Holder(pid=os.getpid(), host=socket.gethostname(), since=datetime.now(UTC))
                os.ftruncate(descriptor, 0)
                os.pwrite(descriptor, msgspec.json.encode(holder), 0)
            except BlockingIOError:
                told = _read(descriptor)
                os.close(descriptor)
                raise RunHeldError(run_id=run_id, holder=told) from None
            except BaseException:
                os.close(descriptor)
                raise
            return RunHold(run_id, holder, descriptor)
    except OSError as error:
        raise JournalError(error.strerror or str(error), path=str(path)) from error


def forget(journal: Path, run_id: str) -> None:
    """Remove the file of a run that was pruned, unless somebody holds it. Blocks for disk."""
    path = lock_path(journal, run_id)
    if not path.exists():
        return
    with contextlib.suppress(RunHeldError):
        hold = take(journal, run_id)
        with contextlib.suppress(FileNotFoundError):
            path.unlink()
        hold.release()


def _still_there(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def _read(descriptor: int) -> str:
    try:
        return str(_HOLDER.decode(os.pread(descriptor, 4096, 0)))
    except msgspec.MsgspecError:
        return "another program, which is just taking it"
