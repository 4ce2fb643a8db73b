"""Whose things are: a name for a state directory, which outlives its programs and tells where they run."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import socket
import tempfile
from pathlib import Path

from orchestrator.errors import JournalError

_FILE = "owner"
_MOST = 40


def owner_of(folder: Path) -> str:
    """The name of a state directory, made at random when it is first asked for; blocks.

    Args:
        folder: of the journal.

    Returns:
        The machine's name and a random number. It identifies, and opens nothing.

    Raises:
        JournalError: it can't be read or written.
    """
    path = folder / _FILE
    try:
        with contextlib.suppress(FileNotFoundError):
            return path.read_text("ascii")
        descriptor, temporary = tempfile.mkstemp(dir=folder, prefix=f".{_FILE}-")
        try:
            with os.fdopen(descriptor, "w") as file:
                file.write(f"{_machine()}-{secrets.token_hex(6)}")
            # The first one stays: another program may be at it too.
            with contextlib.suppress(FileExistsError):
                os.link(temporary, path)
        finally:
            Path(temporary).unlink()
        return path.read_text("ascii")
    except OSError as error:
        raise JournalError(error.strerror or str(error), path=str(path)) from error


def _machine() -> str:
    # Metadata of containers are headers: nothing but plain letters gets through everywhere.
    name = re.sub(r"[^A-Za-z0-9-]+", "-", socket.gethostname()).strip("-")
    return name[:_MOST] or "machine"
