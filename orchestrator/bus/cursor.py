"""Writes down how far a handler has come, so that a run which goes on gives it what it has not seen."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import anyio
import structlog

_log = structlog.get_logger(__name__)

_EVENTS_PER_MOVE = 100


class Cursor:
    """The progress of one handler, written after every hundred events and whenever it has handled all.

    Events that were handled after the last writing come again after a crash: at least once, never lost.

    Args:
        name: of the handler, unique in its run.
        move: writes it down.
        grace: seconds that the last writing may take when the handler is cancelled.
    """

    def __init__(self, name: str, move: Callable[[str, int], Awaitable[None]], *, grace: float) -> None:
        self._name = name
        self._move = move
        self._grace = grace
        self._handled = 0
        self._written = 0
        self._unwritten = 0

    async def handled(self, sequence: int, *, dry: bool) -> None:
        """An event was handled.

        Args:
            sequence: of the event.
            dry: whether no other is waiting.
        """
        self._handled = sequence
        self._unwritten += 1
        if dry or self._unwritten >= _EVENTS_PER_MOVE:
            await self._write()

    async def close(self) -> None:
        """Write down the last event, also when the handler is being cancelled."""
        with anyio.move_on_after(self._grace, shield=True):
            await self._write()

    async def _write(self) -> None:
        if self._handled <= self._written:
            return
        handled, self._unwritten = self._handled, 0
        try:
            await self._move(self._name, handled)
        except Exception as error:
            # The handler sees these events again after a crash; publishing is what fails without a journal.
            _log.warning("bus.cursor_not_moved", handler=self._name, error=str(error))
        else:
            self._written = handled
