"""What a stage writes down before it creates something that must be deleted again."""

from __future__ import annotations

import enum
from typing import Protocol


class ResourceKind(enum.StrEnum):
    """The kinds of things a run creates and clean-up deletes."""

    JOB = "job"
    POOL = "pool"
    CONTAINER = "container"
    APPLICATION = "application"


class Ledger(Protocol):
    """The record of what this run has created or is about to create."""

    async def owe(self, kind: str, resource_id: str) -> None:
        """Write down, durably, that the thing may exist from now on: before its creation is sent."""

    async def owner(self) -> str:
        """Whose it all is: the same for every run of a state directory, and for no other; no secret."""

    async def settle(self, kind: str, resource_id: str) -> None:
        """Strike it out: it is gone, or it is somebody else's."""
