"""One subscriber: its backlog, and the worker that feeds a callback from it."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import anyio

from orchestrator.bus.backlog import Backlog, LatestBacklog, QueueBacklog
from orchestrator.bus.cursor import Cursor
from orchestrator.bus.policy import Policy
from orchestrator.bus.spill import SpillBacklog

if TYPE_CHECKING:
    from orchestrator.events import Event

# A callback that never suspends (a log line, a counter) would keep the loop for the whole backlog, and there
# may be hundreds of subscribers.
_EVENTS_PER_TURN = 25


class Subscription:
    """What one subscriber has not seen yet, and whether it still wants more.

    Made by `EventBus.subscribe`, or inside the stream that `EventBus.stream` gives.

    Attributes:
        name: for log lines and `HandlerFailed.handler`.
        policy: what a full backlog does.
        dropped: how many events a coalescing subscription has left out.
        reason: why it ended, if it did not end by itself; None otherwise.
        cursor: where its progress is written down; None if it is not.
    """

    def __init__(
        self,
        events: tuple[type[Event], ...],
        *,
        policy: Policy,
        name: str,
        bound: int,
        on_close: Callable[[Subscription], None],
        spill: SpillBacklog | None = None,
    ) -> None:
        self.name = name
        self.policy = policy
        self.dropped = 0
        self.reason: str | None = None
        self.cursor: Cursor | None = None
        self._events = events
        self._bound = bound
        self._on_close = on_close
        self._spill = spill
        if policy is Policy.COALESCE:
            self._backlog: Backlog = LatestBacklog(bound)
        else:
            self._backlog = QueueBacklog() if spill is None else spill  # an empty one is false
        self._closed = False
        self._busy = False
        self._news = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()
        self._quiet = asyncio.Event()
        # Set exactly while nothing waits, also before the first event: one that begins with the past has that
        # to read, and who waits until all are quiet must not find it quiet and waiting at once, for ever.
        self._settle()
        self._ended = asyncio.Event()
        self._scope: anyio.CancelScope | None = None

    @property
    def closed(self) -> bool:
        """Whether it gets no more events."""
        return self._closed

    @property
    def waiting(self) -> int:
        """How many events it has not been given yet, the one it is busy with included."""
        return len(self._backlog) + self._busy

    @property
    def started(self) -> bool:
        """Whether its worker has begun."""
        return self._scope is not None

    def close(self) -> None:
        """Unsubscribe: nothing comes any more, and what was waiting is forgotten. May be called twice."""
        self._backlog.clear()
        self._stop(None)

    # --- used by the bus and the stream ------------------------------------------------------------------

    def wants(self, event_type: type[Event]) -> bool:
        """Whether it subscribed to this class or one above it."""
        return issubclass(event_type, self._events)

    def put(self, event: Event) -> bool:
        """Add an event to the backlog; True if the publisher has to wait for room.

        Never suspends, so that all subscribers see all events in one and the same order: with a queue whose
        `put` waits, a later event of another publisher could slip into the room made for an earlier one.
        """
        if self._closed:
            return False
        if self.policy is Policy.DISCONNECT and len(self._backlog) >= self._bound:
            self._stop(f"{self.name} was more than {self._bound} events behind")
            return False
        self.dropped += self._backlog.put(event)
        if not len(self._backlog):  # it was read back from the journal already
            return False
        self._quiet.clear()
        self._news.set()
        if self.policy is Policy.WAIT and len(self._backlog) > self._bound:
            self._room.clear()
            return True
        return False

    async def wait_for_room(self) -> None:
        """Wait until the backlog is within its bound again, or the subscription is closed."""
        await self._room.wait()

    async def wait_until_quiet(self) -> None:
        """Wait until everything put so far was handled, or the subscription is closed."""
        await self._quiet.wait()

    async def wait_until_ended(self) -> None:
        """Wait until the worker has ended."""
        await self._ended.wait()

    async def next(self) -> Event | None:
        """The next event, or None when the subscription is closed and read to its end.

        Cancelling this loses no event: one is only taken after the last suspension.

        Raises:
            Exception: what is not in memory can't be read back.
        """
        while True:
            if self._spill is not None and self._spill.must_read:
                await self._spill.read_on()
                self._settle()
            elif len(self._backlog):
                return self._take()
            elif self._closed:
                return None
            else:
                self._news.clear()
                await self._news.wait()

    def finish(self) -> None:
        """Take no more events, but keep what is there to be read."""
        self._stop(None)

    def cancel(self, reason: str) -> None:
        """End the worker, even in the middle of its callback."""
        self._backlog.clear()
        self._stop(reason)
        if self._scope is not None:
            self._scope.cancel()

    async def serve(
        self,
        callback: Callable[[Any], Awaitable[None] | None],
        failed: Callable[[Subscription, Event | None, BaseException], Awaitable[None]],
    ) -> None:
        """Give each event to the callback, in order, until the subscription is closed.

        Args:
            callback: synchronous or not.
            failed: told of what the callback raised; the next event follows all the same. Without an event,
                of what could not be read back, and no other follows.
        """
        try:
            with anyio.CancelScope() as self._scope:
                handled = 0
                while (event := await self._next(failed)) is not None:
                    self._busy = True
                    await self._handle(callback, event, failed)
                    if self.cursor is not None:
                        await self.cursor.handled(event.sequence, dry=not len(self._backlog))
                    self._busy = False
                    self._settle()
                    handled += 1
                    if handled % _EVENTS_PER_TURN == 0:
                        await asyncio.sleep(0)
        finally:
            self._busy = False
            self.close()
            try:
                if self.cursor is not None:
                    await self.cursor.close()
            finally:
                self._ended.set()

    async def _next(
        self, failed: Callable[[Subscription, Event | None, BaseException], Awaitable[None]]
    ) -> Event | None:
        try:
            return await self.next()
        except Exception as error:
            # Nothing can follow what can't be read without a gap.
            self._backlog.clear()
            self._stop(f"what {self.name} has not seen can't be read back: {error}")
            await failed(self, None, error)
            return None

    async def _handle(
        self,
        callback: Callable[[Any], Awaitable[None] | None],
        event: Event,
        failed: Callable[[Subscription, Event | None, BaseException], Awaitable[None]],
    ) -> None:
        try:
            await _call(callback, event)
        except asyncio.CancelledError as error:
            # A callback that awaits something cancelled raises this without anybody having cancelled the
            # worker; it must not end silently.
            if _being_cancelled():
                raise
            await failed(self, event, error)
        except BaseException as error:
            # Also what is no Exception (a test framework's failure, SystemExit): it would end the owner's
            # task group, and with it every run, without clean-up.
            await failed(self, event, error)

    def _take(self) -> Event:
        event = self._backlog.take()
        if len(self._backlog) <= self._bound:
            self._room.set()
        return event

    def _settle(self) -> None:
        if not self.waiting:
            self._quiet.set()

    def _stop(self, reason: str | None) -> None:
        if not self._closed:
            self._closed = True
            self.reason = reason
            self._on_close(self)
        self._news.set()
        self._room.set()
        self._settle()


async def _call(callback: Callable[[Any], Awaitable[None] | None], event: Event) -> None:
    answer = callback(event)
    if answer is not None and inspect.isawaitable(answer):
        await answer


def _being_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
