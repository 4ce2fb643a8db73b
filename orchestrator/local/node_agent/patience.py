"""How long the transfers of a node are tried."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Patience:
    """How long a transfer is tried.

    Args:
        attempts: of one request, the first included.
        timeout: seconds without a byte, also of connecting.
    """

    attempts: int = 5
    timeout: float = 30.0
