"""The event bus of one run."""

from __future__ import annotations

import asyncio
import traceback
from collections import deque
from collections.abc import Awaitable, Callable
from typing import TypeAlias, TypeVar

import anyio
import msgspec
import structlog

from orchestrator.bus.policy import Policy
from orchestrator.bus.stream import EventStream
from orchestrator.bus.subscription import Subscription
from orchestrator.errors import NotOpenError
from orchestrator.events import Event, HandlerFailed
from orchestrator.limits import Limits

E = TypeVar("E", bound=Event)
Start: TypeAlias = Callable[[Callable[[], Awaitable[None]], str], None]
"""Runs a coroutine function, under a name, in the owner's task group."""

_log = structlog.get_logger(__name__)

# A publisher that never has to wait would otherwise keep the loop for a whole page of task states.
_EVENTS_PER_TURN = 100


class _Turn:
    """An event's place in the order of delivery while the journal writes it."""

    __slots__ = ("delivered", "event", "except_for", "ready")

    def __init__(self, event: Event, except_for: Subscription | None) -> None:
        self.event: Event | None = event
        self.except_for = except_for
        self.ready = False
        self.delivered: asyncio.Future[list[Subscription]] = asyncio.get_running_loop().create_future()


class EventBus:
    """Brings every event of one run to everybody who subscribed to its class or one above it.

    All subscribers see all events in one and the same order, that of `Event.sequence`. An event is numbered,
    recorded, and then put into the backlogs of its subscribers in one step; only then does `publish` wait for
    those who are full (`Policy.WAIT`). So a backlog may exceed its bound by one event for each publisher, and
    cancelling a `publish` that waits for room takes nothing back.

    Why it can't deadlock: a publisher waits for built-in handlers only, whose graph of consumed and produced
    events has no cycle, and the reports of failed handlers, the one thing every handler may cause, wait for
    nobody.

    Args:
        run_id: of the run.
        limits: for `subscription_queue`.
        start: runs a subscriber's worker in the owner's task group; the bus makes no tasks.
        record: writes an event down before anybody sees it; publishing fails if this does.
    """

    def __init__(
        self,
        run_id: str,
        *,
        limits: Limits,
        start: Start,
        record: Callable[[Event], Awaitable[None]] | None = None,
    ) -> None:
        self.run_id = run_id
        self._limits = limits
        self._start = start
        self._record = record
        self._sequence = 0
        self._closed = False
        self._subscriptions: list[Subscription] = []
        self._workers: list[Subscription] = []
        self._routes: dict[type[Event], tuple[Subscription, ...]] = {}
        self._turns: deque[_Turn] = deque()

    async def publish(self, event: Event, /) -> None:
        """Number the event, record it, and bring it to its subscribers.

        Args:
            event: it belongs to the bus from now on; its `sequence` is set.

        Raises:
            NotOpenError: the bus was closed.
        """
        for subscription in await self._publish(event):
            await subscription.wait_for_room()
        if self._sequence % _EVENTS_PER_TURN == 0:
            await asyncio.sleep(0)

    def subscribe(
        self,
        callback: Callable[[E], Awaitable[None] | None],
        events: tuple[type[E], ...],
        *,
        policy: Policy,
        name: str,
    ) -> Subscription:
        """Call `callback` with every event from now on, one at a time and in order.

        What it raises becomes `HandlerFailed`, which it never gets itself, and the next event follows. An
        exception raised over a `HandlerFailed` is only logged: two failing listeners would otherwise keep
        each other busy for ever.

        Args:
            callback: synchronous or not; a synchronous one must not block.
            events: classes, each of which stands for those below it too.
            policy: what happens when it is too slow.
            name: for log lines and `HandlerFailed`.

        Returns:
            The subscription, whose `close()` unsubscribes.

        Raises:
            NotOpenError: the bus was closed.
        """
        subscription = self._subscription(events, policy=policy, name=name)
        self._workers.append(subscription)

        async def work() -> None:
            try:
                await subscription.serve(callback, self._handler_failed)
            finally:
                self._workers.remove(subscription)

        self._start(work, f"handler {name} of run {self.run_id}")
        return subscription

    def stream(
        self, events: tuple[type[E], ...], policy: Policy = Policy.SPILL, *, name: str = "stream"
    ) -> EventStream[E]:
        """The events from now on as an async iterator.

        Args:
            events: classes, each of which stands for those below it too.
            policy: any but `WAIT`: a reader that stops reading must not stop the run.
            name: for log lines.

        Returns:
            A stream that has subscribed already.

        Raises:
            ValueError: the policy is `WAIT`.
            NotOpenError: the bus was closed.
        """
        if policy is Policy.WAIT:
            raise ValueError("a stream's reader may stop reading, so its policy can't be Policy.WAIT")
        return EventStream(self._subscription(events, policy=policy, name=name))

    async def drain(self) -> None:
        """Wait until every `WAIT` subscriber has handled everything, what they publish meanwhile included.

        Must not be awaited by a handler, which would wait for itself. It has no limit of its own: its caller,
        the run, has one.
        """
        await self._quiet(lambda subscription: subscription.policy is Policy.WAIT)

    async def close(self, grace: float) -> None:
        """End the bus: let callbacks handle what they have, then cancel those who are not done.

        Until the callbacks are done or the grace is over, publishing still works, because handlers tell what
        they do; afterwards it raises `NotOpenError`, always. Streams are not waited for: they keep what they
        have and end after it. May be called twice, also at the same time.

        Args:
            grace: seconds for the callbacks to finish, and again for cancelled ones to end.
        """
        try:
            with anyio.move_on_after(grace):
                await self._quiet(lambda _: True)
        finally:  # also when the caller is cancelled: nobody may be left behind
            ending = self._end(f"not done {grace:g} s after the end of the run")
        with anyio.move_on_after(grace):
            for subscription in ending:
                await subscription.wait_until_ended()

    def _end(self, reason: str) -> list[Subscription]:
        self._closed = True
        for subscription in self._workers:
            if subscription.waiting:
                _log.warning(
                    "bus.handler_cancelled",
                    run=self.run_id,
                    handler=subscription.name,
                    waiting=subscription.waiting,
                )
                subscription.cancel(reason)
        for subscription in tuple(self._subscriptions):
            subscription.finish()
        # A worker whose owner was cancelled before it ever ran will not end either.
        return [each for each in self._workers if each.started]

    def _subscription(self, events: tuple[type[Event], ...], *, policy: Policy, name: str) -> Subscription:
        if self._closed:
            raise NotOpenError(f"the bus of run {self.run_id} is closed: nothing will come any more")
        subscription = Subscription(
            events, policy=policy, name=name, bound=self._limits.subscription_queue, on_close=self._forget
        )
        self._subscriptions.append(subscription)
        self._routes.clear()
        return subscription

    def _forget(self, subscription: Subscription) -> None:
        self._subscriptions.remove(subscription)
        self._routes.clear()

    async def _publish(self, event: Event, except_for: Subscription | None = None) -> list[Subscription]:
        if self._closed:
            raise NotOpenError(
                f"the bus of run {self.run_id} is closed: {type(event).__name__} comes too late"
            )
        self._sequence += 1
        # Frozen for everybody else: nobody has seen the event yet.
        msgspec.structs.force_setattr(event, "sequence", self._sequence)
        if self._record is None:
            return self._deliver(event, except_for)
        # Several events may be in the journal's hands at once (it commits in groups), but they are delivered
        # in the order of their numbers.
        turn = _Turn(event, except_for)
        self._turns.append(turn)
        try:
            await self._record(event)
            turn.ready = True
        except BaseException:
            turn.event = None
            turn.ready = True
            raise
        finally:
            self._deliver_ready()
        return await turn.delivered

    def _deliver_ready(self) -> None:
        while self._turns and self._turns[0].ready:
            turn = self._turns.popleft()
            full = [] if turn.event is None else self._deliver(turn.event, turn.except_for)
            if not turn.delivered.done():  # its publisher may have been cancelled meanwhile
                turn.delivered.set_result(full)

    def _deliver(self, event: Event, except_for: Subscription | None) -> list[Subscription]:
        event_type = type(event)
        route = self._routes.get(event_type)
        if route is None:
            route = tuple(each for each in self._subscriptions if each.wants(event_type))
            self._routes[event_type] = route
        return [each for each in route if each is not except_for and each.put(event)]

    async def _handler_failed(self, subscription: Subscription, event: Event, error: BaseException) -> None:
        # The event tells the others; what the handler's author needs is here. Formatted plainly, since the
        # renderer that structlog has by default takes longer over a traceback than the loop can spare.
        _log.error(
            "bus.handler_failed",
            run=self.run_id,
            handler=subscription.name,
            event_type=type(event).__name__,
            traceback="".join(traceback.format_exception(error)),
        )
        if isinstance(event, HandlerFailed):
            return
        report = HandlerFailed(
            run_id=self.run_id,
            handler=subscription.name,
            failed_event=type(event).__name__,
            error=f"{type(error).__name__}: {error}",
        )
        try:
            # Not `publish`: a report waits for nobody, or two failing handlers could wait for each other.
            await self._publish(report, except_for=subscription)
        except Exception as unreported:  # the journal can't write, or the bus closed meanwhile
            _log.warning("bus.failure_unreported", run=self.run_id, error=str(unreported))

    async def _quiet(self, counts: Callable[[Subscription], bool]) -> None:
        # One handler's last event may give another one work, so look again until all are quiet at once.
        while busy := [each for each in self._workers if counts(each) and each.waiting]:
            for subscription in busy:
                await subscription.wait_until_quiet()
