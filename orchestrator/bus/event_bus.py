"""The event bus of one run."""

from __future__ import annotations

import asyncio
import traceback
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import TypeAlias, TypeVar

import anyio
import msgspec
import structlog

from orchestrator.bus.cursor import Cursor
from orchestrator.bus.policy import Policy
from orchestrator.bus.reader import EventReader
from orchestrator.bus.spill import SpillBacklog
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
    """The place of events in the order of delivery while the journal writes them."""

    __slots__ = ("delivered", "events", "except_for", "ready")

    def __init__(self, events: tuple[Event, ...], except_for: Subscription | None) -> None:
        self.events = events
        self.except_for = except_for
        self.ready = False
        self.delivered: asyncio.Future[Iterable[Subscription]] = asyncio.get_running_loop().create_future()


class EventBus:
    """Brings every event of one run to everybody who subscribed to its class or one above it.

    All subscribers see all events in one and the same order, that of `Event.sequence`. An event is numbered,
    recorded, and then put into the backlogs of its subscribers in one step; only then does `publish` wait for
    those who are full (`Policy.WAIT`). So a backlog may exceed its bound by what each publisher tells in one
    call, and cancelling a `publish` that waits for room takes nothing back.

    Why it can't deadlock: a publisher waits for built-in handlers only, whose graph of consumed and produced
    events has no cycle, and the reports of failed handlers, the one thing every handler may cause, wait for
    nobody.

    Args:
        run_id: of the run.
        limits: for `subscription_queue`.
        start: runs a subscriber's worker in the owner's task group; the bus makes no tasks.
        record: writes the events of one call down before anybody sees them; publishing fails if this does.
        reader: gives back what was recorded. With it a spilling subscription keeps no more than
            `subscription_queue` events in memory, and a spilling callback's progress is written down.
        first_sequence: the number of the first event; a run that goes on counts on.
    """

    def __init__(
        self,
        run_id: str,
        *,
        limits: Limits,
        start: Start,
        record: Callable[[Sequence[Event]], Awaitable[None]] | None = None,
        reader: EventReader | None = None,
        first_sequence: int = 1,
    ) -> None:
        self.run_id = run_id
        self._limits = limits
        self._start = start
        self._record = record
        self._reader = reader
        self._sequence = first_sequence - 1
        self._closed = False
        self._subscriptions: list[Subscription] = []
        self._workers: list[Subscription] = []
        self._routes: dict[type[Event], tuple[Subscription, ...]] = {}
        self._turns: deque[_Turn] = deque()
        self._names: set[str] = set()

    async def publish(self, *events: Event) -> None:
        """Number the events, record them together, and bring them to their subscribers, in order.

        Args:
            events: they belong to the bus from now on; their `sequence` is set.

        Raises:
            NotOpenError: the bus was closed.
        """
        before = self._sequence
        for subscription in await self._publish(events):
            await subscription.wait_for_room()
        if self._sequence // _EVENTS_PER_TURN != before // _EVENTS_PER_TURN:
            await asyncio.sleep(0)

    def subscribe(
        self,
        callback: Callable[[E], Awaitable[None] | None],
        events: tuple[type[E], ...],
        *,
        policy: Policy,
        name: str,
        after: int | Mapping[str, int] | None = None,
    ) -> Subscription:
        """Call `callback` with every event from now on, one at a time and in order.

        What it raises becomes `HandlerFailed`, which it never gets itself, and the next event follows. An
        exception raised over a `HandlerFailed` is only logged: two failing listeners would otherwise keep
        each other busy for ever.

        Args:
            callback: synchronous or not; a synchronous one must not block.
            events: classes, each of which stands for those below it too.
            policy: what happens when it is too slow.
            name: for log lines, `HandlerFailed` and the cursor. A second subscriber of that name becomes
                `name#2`, in the order of registration, so that each has a cursor of its own.
            after: begin with what was recorded after this number, each event with the number it had, then go
                on with what comes, without gap or double. The cursors of all handlers may be given, of which
                that of the (unique) name is taken. Spilling subscribers only, and with a reader.

        Returns:
            The subscription, whose `close()` unsubscribes.

        Raises:
            NotOpenError: the bus was closed.
            ValueError: `after` was given where nothing can be read back.
        """
        if after is not None and (policy is not Policy.SPILL or self._reader is None):
            raise ValueError("only a spilling subscriber of a bus with a reader can begin with the past")
        name = self.unique_name(name)
        self._names.add(name)
        if isinstance(after, Mapping):
            after = after.get(name, 0)
        subscription = self._subscription(events, policy=policy, name=name, after=after)
        if self._reader is not None and policy is Policy.SPILL:
            subscription.cursor = Cursor(name, self._reader.move_cursor, grace=self._limits.stop_grace)
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

    def _subscription(
        self, events: tuple[type[Event], ...], *, policy: Policy, name: str, after: int | None = None
    ) -> Subscription:
        if self._closed:
            raise NotOpenError(f"the bus of run {self.run_id} is closed: nothing will come any more")
        spill = None
        if policy is Policy.SPILL and self._reader is not None:
            spill = SpillBacklog(
                self._reader.read,
                events,
                name=name,
                bound=self._limits.subscription_queue,
                position=self._sequence if after is None else after,
                behind=after is not None and after < self._sequence,
            )
        subscription = Subscription(
            events,
            policy=policy,
            name=name,
            bound=self._limits.subscription_queue,
            on_close=self._forget,
            spill=spill,
        )
        self._subscriptions.append(subscription)
        self._routes.clear()
        return subscription

    def unique_name(self, name: str) -> str:
        """What a subscriber of that name would be called if it came now: its cursor goes by that."""
        unique, number = name, 1
        while unique in self._names:
            number += 1
            unique = f"{name}#{number}"
        return unique

    def _forget(self, subscription: Subscription) -> None:
        self._subscriptions.remove(subscription)
        self._routes.clear()

    async def _publish(
        self, events: tuple[Event, ...], except_for: Subscription | None = None
    ) -> Iterable[Subscription]:
        if not events:
            return ()
        if self._closed:
            raise NotOpenError(
                f"the bus of run {self.run_id} is closed: {type(events[0]).__name__} comes too late"
            )
        for event in events:
            self._sequence += 1
            # Frozen for everybody else: nobody has seen the event yet.
            msgspec.structs.force_setattr(event, "sequence", self._sequence)
        if self._record is None:
            return self._deliver(events, except_for)
        # Several calls may be in the journal's hands at once (it commits in groups), but their events are
        # delivered in the order of their numbers.
        turn = _Turn(events, except_for)
        self._turns.append(turn)
        try:
            await self._record(events)
            turn.ready = True
        except BaseException:
            turn.events = ()
            turn.ready = True
            raise
        finally:
            self._deliver_ready()
        return await turn.delivered

    def _deliver_ready(self) -> None:
        while self._turns and self._turns[0].ready:
            turn = self._turns.popleft()
            full = self._deliver(turn.events, turn.except_for)
            if not turn.delivered.done():  # its publisher may have been cancelled meanwhile
                turn.delivered.set_result(full)

    def _deliver(self, events: tuple[Event, ...], except_for: Subscription | None) -> Iterable[Subscription]:
        full: dict[Subscription, None] = {}
        for event in events:
            event_type = type(event)
            route = self._routes.get(event_type)
            if route is None:
                route = tuple(each for each in self._subscriptions if each.wants(event_type))
                self._routes[event_type] = route
            for each in route:
                if each is not except_for and each.put(event):
                    full[each] = None
        return full

    async def _handler_failed(
        self, subscription: Subscription, event: Event | None, error: BaseException
    ) -> None:
        failed_event = "" if event is None else type(event).__name__
        # The event tells the others; what the handler's author needs is here. Formatted plainly, since the
        # renderer that structlog has by default takes longer over a traceback than the loop can spare.
        _log.error(
            "bus.handler_failed",
            run=self.run_id,
            handler=subscription.name,
            event_type=failed_event,
            traceback="".join(traceback.format_exception(error)),
        )
        if isinstance(event, HandlerFailed):
            return
        report = HandlerFailed(
            run_id=self.run_id,
            handler=subscription.name,
            failed_event=failed_event,
            error=f"{type(error).__name__}: {error}",
        )
        try:
            # Not `publish`: a report waits for nobody, or two failing handlers could wait for each other.
            await self._publish((report,), except_for=subscription)
        except Exception as unreported:  # the journal can't write, or the bus closed meanwhile
            _log.warning("bus.failure_unreported", run=self.run_id, error=str(unreported))

    async def _quiet(self, counts: Callable[[Subscription], bool]) -> None:
        # One handler's last event may give another one work, so look again until all are quiet at once.
        while busy := [each for each in self._workers if counts(each) and each.waiting]:
            for subscription in busy:
                await subscription.wait_until_quiet()
