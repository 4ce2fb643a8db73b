"""The folder in which a local service keeps everything: one service at a time, keys of its own."""

from __future__ import annotations

import base64
import contextlib
import fcntl
import hashlib
import hmac
import json
import os
import secrets
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import platformdirs

from orchestrator.local.settings import write_private

_KEY_BYTES = 64
_KEYS = "keys.json"
_WAIT_FOR_CHILDREN = 10.0
_PAUSE = 0.05


class StateDirectoryInUseError(RuntimeError):
    """Another local service uses this state directory: stop it, or name another with `--state-dir`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class AccountKeys:
    """The keys of a state directory's accounts, base64. The repr shows none."""

    batch: str = field(repr=False)
    storage: str = field(repr=False)

    @property
    def control(self) -> str:
        """Of the control endpoint: follows from the Batch key, which does not follow from it."""
        return hmac.new(self.batch.encode(), b"orchestrator local control", hashlib.sha256).hexdigest()


def default_state_directory() -> Path:
    """Give where a service keeps its state if nobody says otherwise."""
    return platformdirs.user_state_path("orchestrator") / "local"


class StateDirectory:
    """A state directory that this service holds; make one with `open`.

    The hold is a lock on an open file, so it ends with the process however that dies. The blob server
    inherits the file: after a kill -9 of the service the next one waits until the old blob server has
    written its data.
    """

    def __init__(self, path: Path, lock: int, keys: AccountKeys) -> None:
        self._lock = lock
        self.path = path
        self.keys = keys

    @classmethod
    def open(cls, path: Path, *, limit: float = _WAIT_FOR_CHILDREN) -> Self:
        """Take a state directory, made if it is not there, readable for its owner only; blocks.

        Args:
            path: of the folder.
            limit: seconds to wait for what a dead service left running.

        Returns:
            The directory, held.

        Raises:
            StateDirectoryInUseError: if another service holds it.
            OSError: if it can't be made.
        """
        path = path.absolute()
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.chmod(0o700)
        lock = os.open(path / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            _acquire(lock, path, limit)
            os.ftruncate(lock, 0)
            os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)
            return cls(path, lock, _keys(path / _KEYS))
        except BaseException:
            os.close(lock)
            raise

    @property
    def lock_descriptor(self) -> int:
        """The file whose being open is the hold; a child that inherits it prolongs the hold."""
        return self._lock

    def close(self) -> None:
        """Let the directory go; may be called again."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    @property
    def batch_data(self) -> Path:
        """Where the Batch endpoint keeps its own."""
        return self.path / "batch"

    @property
    def tls(self) -> Path:
        """Where the certificates are."""
        return self.path / "tls"

    @property
    def blob_data(self) -> Path:
        """Where the blob endpoint keeps its own."""
        return self.path / "blob"


def _acquire(lock: int, path: Path, limit: float) -> None:
    deadline = time.monotonic() + limit
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(lock, 32, 0).decode(errors="replace").strip()
            # A dead holder means that only its children are still there, and they are about to end.
            if _alive(holder) or time.monotonic() > deadline:
                who = f"process {holder}" if holder else "another process"
                raise StateDirectoryInUseError(
                    f"{who} uses the state directory {path}: stop it, or name another with --state-dir"
                ) from None
            time.sleep(_PAUSE)
        else:
            return


def _alive(pid: str) -> bool:
    if not pid.isdigit():
        return True
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def stored_keys(path: Path) -> AccountKeys | None:
    """Read the keys of a state directory, whether a service holds it or not; blocks.

    Args:
        path: of the folder.

    Returns:
        The keys, None if no service was ever started there.

    Raises:
        OSError: if they can't be read.
    """
    return _read_keys(path / _KEYS)


def _read_keys(path: Path) -> AccountKeys | None:
    with contextlib.suppress(FileNotFoundError):
        stored = json.loads(path.read_bytes())
        return AccountKeys(batch=stored["batch"], storage=stored["storage"])
    return None


def _keys(path: Path) -> AccountKeys:
    stored = _read_keys(path)
    if stored is not None:
        return stored
    keys = {name: base64.b64encode(secrets.token_bytes(_KEY_BYTES)).decode() for name in ("batch", "storage")}
    write_private(path, json.dumps(keys).encode())
    return AccountKeys(**keys)
