"""The ports that the service of a state directory had last.

Kept tasks hold addresses of the blob endpoint, and clients those of both: they stay true over a restart if
the service listens where it did.
"""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Final, Self

import msgspec

from orchestrator.local.settings import write_private

_LOOPBACK: Final = "127.0.0.1"


class Ports(msgspec.Struct, frozen=True, kw_only=True):
    """Of both endpoints; 0 for one that the system picks."""

    batch: int = 0
    blob: int = 0

    @classmethod
    def choose(cls, wanted: Self, remembered: Path) -> Self:
        """Fill in what was not asked for; blocks.

        Args:
            wanted: by the user.
            remembered: file of `remember`, which need not be there.

        Returns:
            The ports asked for, else those of the last time where they are free, else 0.
        """
        try:
            last = msgspec.json.decode(remembered.read_bytes(), type=cls)
        except (OSError, msgspec.DecodeError):  # a loss of convenience only
            return wanted
        return cls(batch=wanted.batch or _if_free(last.batch), blob=wanted.blob or _if_free(last.blob))

    def remember(self, path: Path) -> None:
        """Write them down for the next time; blocks.

        Args:
            path: of the file.

        Raises:
            OSError: if it can't be written.
        """
        write_private(path, msgspec.json.encode(self))


def _if_free(port: int) -> int:
    try:
        with socket.create_server((_LOOPBACK, port)):
            return port
    except (OSError, OverflowError):
        return 0
