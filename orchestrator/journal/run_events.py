"""The events of one run in the journal, as its bus asks for them."""

from __future__ import annotations

from collections.abc import Sequence

from orchestrator.events import Event
from orchestrator.journal.journal import Journal


class RunEvents:
    """What a bus needs of the journal: `EventBus(run_id, record=it.record, reader=it, ...)`.

    Args:
        journal: where the events are.
        run_id: of the run, which was begun there.
    """

    def __init__(self, journal: Journal, run_id: str) -> None:
        self._journal = journal
        self._run_id = run_id

    async def record(self, events: Sequence[Event]) -> None:
        """Write events down before anybody sees them."""
        await self._journal.record(events)

    async def read(self, *, after: int, types: tuple[type[Event], ...], limit: int) -> Sequence[Event]:
        """Events of these classes with a higher sequence, in order, no more than `limit`."""
        return await self._journal.events(self._run_id, after=after, types=types, limit=limit)

    async def move_cursor(self, handler: str, sequence: int) -> None:
        """Write down how far a handler has come."""
        await self._journal.move_cursor(self._run_id, handler, sequence)
