"""A backlog that keeps the oldest events in memory and reads the rest back from the journal."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Sequence
from typing import Protocol

from orchestrator.events import Event, HandlerFailed

# Read back in one step; decoding more would keep Python's lock for long.
_PAGE = 500


class _Read(Protocol):
    def __call__(
        self, *, after: int, types: tuple[type[Event], ...], limit: int
    ) -> Awaitable[Sequence[Event]]: ...


class SpillBacklog:
    """Once it is full, newer events are only counted: they are in the journal already.

    When memory is read empty, the journal is read from there on, page by page, until it gives no event that
    is older than those which come directly again.

    Args:
        read: gives back what was recorded.
        types: the classes that are wanted.
        name: of the subscriber; a report of its own failure is not for it.
        bound: events in memory.
        position: the number after which it begins.
        behind: whether there may be recorded events after that.
    """

    def __init__(
        self,
        read: _Read,
        types: tuple[type[Event], ...],
        *,
        name: str,
        bound: int,
        position: int,
        behind: bool,
    ) -> None:
        self._read = read
        self._types = types
        self._name = name
        self._bound = bound
        self._position = position
        self._behind = behind
        self._newest = 0
        self._spilled = 0
        self._events: deque[Event] = deque()

    @property
    def must_read(self) -> bool:
        """Whether the next event is in the journal only: call `read_on`."""
        return self._behind and not self._events

    def put(self, event: Event, /) -> int:
        """Add the newest event; nothing is ever dropped. One that was read back already is ignored."""
        if event.sequence <= self._position:
            return 0
        self._newest = event.sequence
        if self._behind or len(self._events) >= self._bound:
            self._behind = True
            self._spilled += 1
        else:
            self._events.append(event)
            self._position = event.sequence
        return 0

    def take(self) -> Event:
        """Remove and return the oldest event, which is in memory unless `must_read`."""
        return self._events.popleft()

    def clear(self) -> None:
        """Forget everything."""
        self._events.clear()
        self._behind = False
        self._spilled = 0

    async def read_on(self) -> None:
        """Read the next page; cancelling this loses nothing.

        Raises:
            LookupError: the journal does not have an event that was recorded there.
        """
        newest, limit = self._newest, min(self._bound, _PAGE)
        page = await self._read(after=self._position, types=self._types, limit=limit)
        if not self._behind:  # closed meanwhile
            return
        if page:
            self._position = page[-1].sequence
        self._events.extend(event for event in page if not self._reports_itself(event))
        self._spilled = max(0, self._spilled - len(page))
        if len(page) == limit:
            return
        if self._position < newest:
            raise LookupError(f"the journal ends at event {self._position}, but had event {newest}")
        # An event that came while the page was read may be missing in it.
        self._behind = self._position < self._newest
        self._spilled *= self._behind

    def __len__(self) -> int:
        return len(self._events) + max(self._spilled, int(self._behind))

    def _reports_itself(self, event: Event) -> bool:
        return isinstance(event, HandlerFailed) and event.handler == self._name
