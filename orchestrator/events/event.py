"""What every event is, and how one is told."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Protocol

import msgspec


def utc_now() -> datetime:
    """The time now, aware, in UTC."""
    return datetime.now(UTC)


class Event(msgspec.Struct, frozen=True, kw_only=True, tag_field="event", tag=True):
    """Something that happened.

    Args:
        run_id: of the run it happened in.
        time: when this program learned of it, aware, UTC.
        sequence: its place in the run, from 1; given by the bus, and the same if it is delivered again.
    """

    run_id: str
    time: datetime = msgspec.field(default_factory=utc_now)
    sequence: int = 0


class Publish(Protocol):
    """How a stage or a handler tells; awaiting it is the back-pressure of the built-in handlers."""

    async def __call__(self, *events: Event) -> None:
        """Put the events on the bus of their run, in order; what is told together is recorded together."""


class HandlerFailed(Event, frozen=True, kw_only=True):
    """A handler raised; it never gets this event itself, and nobody else is harmed."""

    handler: str
    failed_event: str
    error: str
