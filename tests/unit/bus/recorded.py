"""A journal that is a list: what the bus asks of one, and no more."""

from __future__ import annotations

from collections.abc import Sequence

import anyio

from orchestrator.bus import EventBus
from orchestrator.events import Event
from orchestrator.limits import Limits
from tests.unit.owner import Owner


class Recorded:
    """Keeps events and cursors.

    Attributes:
        events: all that were recorded, in order.
        groups: how many came at once.
        cursors: of each handler.
        moves: how often a cursor was moved.
        largest: the largest page that was asked for.
        broken: raised by reading and moving, if it is set.
    """

    def __init__(self, *events: Event) -> None:
        self.events: list[Event] = list(events)
        self.groups: list[int] = []
        self.cursors: dict[str, int] = {}
        self.moves = 0
        self.largest = 0
        self.broken: Exception | None = None

    async def record(self, events: Sequence[Event]) -> None:
        await anyio.lowlevel.checkpoint()
        self.groups.append(len(events))
        self.events.extend(events)

    async def read(self, *, after: int, types: tuple[type[Event], ...], limit: int) -> Sequence[Event]:
        self.largest = max(self.largest, limit)
        # A real one looks at some moment between the call and its answer.
        await anyio.lowlevel.checkpoint()
        if self.broken is not None:
            raise self.broken
        found = [event for event in self.events if event.sequence > after and isinstance(event, types)]
        await anyio.lowlevel.checkpoint()
        return found[:limit]

    async def move_cursor(self, handler: str, sequence: int) -> None:
        await anyio.lowlevel.checkpoint()
        if self.broken is not None:
            raise self.broken
        self.moves += 1
        self.cursors[handler] = sequence


def bus_on(owner: Owner, journal: Recorded, *, queue: int = 100, first_sequence: int = 1) -> EventBus:
    """A bus that records there and reads back from there."""
    return EventBus(
        "run",
        limits=Limits(subscription_queue=queue),
        start=owner.start,
        record=journal.record,
        reader=journal,
        first_sequence=first_sequence,
    )
