"""Every class of event."""

from __future__ import annotations

from orchestrator.events import cleanup, job, output, pool, run, staging  # noqa: F401 - defines them
from orchestrator.events.event import Event


def all_event_types() -> tuple[type[Event], ...]:
    """Every event class that can be published or subscribed to, parents before children."""
    found: list[type[Event]] = []
    waiting: list[type[Event]] = [Event]
    while waiting:
        current = waiting.pop(0)
        found.append(current)
        waiting.extend(current.__subclasses__())
    return tuple(found)
