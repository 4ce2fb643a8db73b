"""What a subscriber has not read yet, oldest first: a plain queue, or one that keeps only the latest."""

from __future__ import annotations

from collections import deque
from typing import Protocol

from orchestrator.events import Event, JobEvent, NodeStateChanged, PoolEvent, TaskEvent


class Backlog(Protocol):
    """Events that wait for their subscriber."""

    def put(self, event: Event, /) -> int:
        """Add the newest event; the answer is the number of older ones that were dropped for it."""

    def take(self) -> Event:
        """Remove and return the oldest event."""

    def clear(self) -> None:
        """Forget everything."""

    def __len__(self) -> int: ...


class QueueBacklog:
    """Keeps every event; whether it may still grow is decided by the subscription's policy."""

    def __init__(self) -> None:
        self._events: deque[Event] = deque()

    def put(self, event: Event, /) -> int:
        """Add the newest event; nothing is ever dropped."""
        self._events.append(event)
        return 0

    def take(self) -> Event:
        """Remove and return the oldest event."""
        return self._events.popleft()

    def clear(self) -> None:
        """Forget everything."""
        self._events.clear()

    def __len__(self) -> int:
        return len(self._events)


class LatestBacklog:
    """Keeps the latest event of each class and subject, at most `bound` of them."""

    def __init__(self, bound: int) -> None:
        self._bound = bound
        self._events: dict[tuple[type[Event], object], Event] = {}

    def put(self, event: Event, /) -> int:
        """Add the newest event in place of the one it supersedes, or else of the oldest when full."""
        key = (type(event), _subject(event))
        dropped = 0
        # Taken out and put in again at the end: replaced where it stood, a second TaskStarted would come
        # before the TaskRequeued that lies between the two.
        if self._events.pop(key, None) is not None:
            dropped += 1
        elif len(self._events) >= self._bound:
            del self._events[next(iter(self._events))]
            dropped += 1
        self._events[key] = event
        return dropped

    def take(self) -> Event:
        """Remove and return the oldest event."""
        return self._events.pop(next(iter(self._events)))

    def clear(self) -> None:
        """Forget everything."""
        self._events.clear()

    def __len__(self) -> int:
        return len(self._events)


def _subject(event: Event) -> object:
    match event:
        case TaskEvent():
            return event.key
        case NodeStateChanged():
            return (event.pool_id, event.node_id)
        case PoolEvent():
            return event.pool_id
        case JobEvent():
            return event.job_id
        case _:
            return None
