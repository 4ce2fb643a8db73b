"""Events as an async iterator, which unsubscribes however it is left."""

from __future__ import annotations

from types import TracebackType
from typing import Generic, Self, TypeVar, cast

from orchestrator.bus.subscription import Subscription
from orchestrator.events import Event

E = TypeVar("E", bound=Event)


class EventStream(Generic[E]):
    """The events of a run from now on, to be read in order: `async for event in stream`.

    It ends when the bus is closed (what came before is still read) or when its policy disconnects it;
    `reason` tells the two apart. Leaving an `async with` block, `aclose()`, and letting go of a stream that
    nobody else holds (`break` out of `async for event in bus.stream(…)`) unsubscribe. One reader at a time.
    """

    def __init__(self, subscription: Subscription) -> None:
        self._subscription = subscription

    @property
    def reason(self) -> str | None:
        """Why it was disconnected; None if it was not."""
        return self._subscription.reason

    @property
    def dropped(self) -> int:
        """How many events a coalescing stream has left out."""
        return self._subscription.dropped

    async def aclose(self) -> None:
        """Unsubscribe; a reader that waits is let go. May be called twice."""
        self._subscription.close()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> E:
        event = await self._subscription.next()
        if event is None:
            raise StopAsyncIteration
        return cast("E", event)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    def __del__(self) -> None:
        # The bus holds the subscription, never the stream, so the last reader's letting go ends up here.
        subscription = getattr(self, "_subscription", None)
        if subscription is not None:
            subscription.close()
