"""An event loop in which what somebody waits for goes before what may wait.

asyncio runs whatever is ready in the order in which it became so, and looks at its sockets only when all of
it was run. With two hundred runs at work that is hundreds of steps each time, a tenth of a second and more,
and a request takes several such rounds to be read, answered and sent. Here it passes them all.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextvars import Context, ContextVar, copy_context
from typing import Final, TypeVarTuple

Ts = TypeVarTuple("Ts")

_PROMPT: Final[ContextVar[bool]] = ContextVar("orchestrator.prompt", default=False)

_SLICE: Final = 0.004
"""Seconds of steps between two looks at the sockets. After one that went to prompt steps alone the next goes
to the others, so that no flood of requests takes more than half of the time from them."""


@contextlib.contextmanager
def prompt() -> Iterator[None]:
    """What is begun inside goes first: the tasks, callbacks and connections that are made there."""
    token = _PROMPT.set(True)
    try:
        yield
    finally:
        _PROMPT.reset(token)


def take_turns() -> None:
    """From its next step on the task that calls this waits for its turn, like all that it begins."""
    _PROMPT.set(False)


class PromptSteps(asyncio.AbstractEventLoop):
    """Makes a loop, before which it is named as a base, run what is prompt before the rest.

    Of each kind, steps are run in the order in which they became ready. What comes from sockets, threads and
    timers is taken in between.
    """

    def __init__(self) -> None:
        self._first: deque[asyncio.Handle] = deque()
        self._others: deque[asyncio.Handle] = deque()
        self._goes_on = False
        self._owes = False
        super().__init__()

    def call_soon(
        self, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.Handle:
        """Run a callback as soon as it is its turn; see `asyncio.loop.call_soon`."""
        if self.is_closed():
            raise RuntimeError("Event loop is closed")
        if context is None:
            context = copy_context()
        handle = asyncio.Handle(callback, args, self, context)
        (self._first if context.get(_PROMPT, False) else self._others).append(handle)
        if not self._goes_on:
            self._goes_on = True
            super().call_soon(self._go_on, context=_NOBODYS)
        return handle

    def _go_on(self) -> None:
        """Run what is ready, for a slice of time."""
        end = time.monotonic() + _SLICE
        others = 0
        try:
            while self._first or self._others:
                if self._others and (self._owes or not self._first):
                    handle = self._others.popleft()
                    others += 1
                else:
                    handle = self._first.popleft()
                if not handle.cancelled():
                    handle._run()  # noqa: SLF001 - as the loop itself does: it tells what is raised
                if time.monotonic() >= end:
                    break
        finally:  # an exception that ends the program leaves the rest to its last steps
            self._owes = bool(self._others) and not others
            self._goes_on = bool(self._first or self._others)
            if self._goes_on:
                super().call_soon(self._go_on, context=_NOBODYS)


class PromptLoop(PromptSteps, asyncio.SelectorEventLoop):
    """Python's own loop, and prompt."""


_NOBODYS: Final = Context()
