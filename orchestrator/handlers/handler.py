"""What every built-in handler is."""

from __future__ import annotations

from typing import Any, ClassVar, Protocol

from orchestrator.events import Event


class Handler(Protocol):
    """Consumes some events and produces others; it meets other handlers through events only.

    The graph of what the built-in handlers consume and produce has no cycle (a test asserts it), or full
    backlogs could wait for each other.

    Attributes:
        name: for log lines and `HandlerFailed`.
        consumes: the classes to subscribe it to.
        produces: every class it publishes.
    """

    name: ClassVar[str]
    consumes: ClassVar[tuple[type[Event], ...]]
    produces: ClassVar[tuple[type[Event], ...]]

    async def handle(self, event: Any, /) -> None:
        """Deal with one event, which is of a class in `consumes`; called in order, one at a time."""
