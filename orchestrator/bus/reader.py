"""What the bus asks of a journal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from orchestrator.events import Event


class EventReader(Protocol):
    """Gives back the events of one run, and keeps how far its handlers have come."""

    async def read(self, *, after: int, types: tuple[type[Event], ...], limit: int) -> Sequence[Event]:
        """Recorded events of these classes and below with a higher number, in order, at most `limit`.

        Everything that was recorded before the call is among what it may give; fewer than `limit` says that
        there was no more then.
        """

    async def move_cursor(self, handler: str, sequence: int) -> None:
        """Write down that a handler has handled everything up to this event."""
