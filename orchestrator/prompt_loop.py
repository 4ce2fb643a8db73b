"""An event loop in which what somebody waits for goes before what may wait.

asyncio runs whatever is ready in the order in which it became so, and looks at its sockets only when all of
it was run. With two hundred runs at work that is hundreds of steps each time, a tenth of a second and more,
and a request takes several such rounds to be read, answered and sent. Here it passes them all.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextvars import Context, ContextVar, copy_context
from typing import Final, TypeVarTuple

Ts = TypeVarTuple("Ts")

_PROMPT: Final[ContextVar[bool]] = ContextVar("orchestrator.prompt", default=False)

_SLICE: Final = 0.004
"""Seconds of steps between two looks at the sockets. Once prompt steps have taken as much from others that
wait, these get it back, so that no flood of requests takes more than half of the time from them."""

_log = logging.getLogger("asyncio")


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
        self._turn: asyncio.Handle | None = None
        self._owed = 0.0
        self._pays = False
        # Each loop's own: a context can't be entered in two threads at once.
        self._nobodys = Context()
        self._debugs = False
        super().__init__()
        self._debugs = self.get_debug()

    def call_soon(
        self, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.Handle:
        """Run a callback as soon as it is its turn; see `asyncio.loop.call_soon`."""
        if self.is_closed():
            raise RuntimeError("Event loop is closed")
        if context is None:
            context = copy_context()
        if self._debugs:
            super().call_soon(callback, *args, context=context).cancel()  # only for what is checked there
        handle = asyncio.Handle(callback, args, self, context)
        (self._first if context.get(_PROMPT, False) else self._others).append(handle)
        if self._turn is None:
            self._turn = super().call_soon(self._go_on, context=self._nobodys)
        return handle

    def run_forever(self) -> None:
        """Run until it is stopped; see `asyncio.loop.run_forever`."""
        if not self.is_running():
            # Ctrl-C may have ended the last time anywhere, and the turn that was planned then be lost.
            if self._turn is not None:
                self._turn.cancel()
            self._turn = super().call_soon(self._go_on, context=self._nobodys)
        super().run_forever()

    def set_debug(self, enabled: bool) -> None:
        """Say whether misuse and slow steps are told; see `asyncio.loop.set_debug`."""
        super().set_debug(enabled)
        self._debugs = enabled

    def close(self) -> None:
        """Take no more, and forget what was not run; see `asyncio.loop.close`."""
        super().close()
        self._turn = None
        self._first.clear()
        self._others.clear()

    def _go_on(self) -> None:
        """Run what is ready, for a slice of time."""
        try:
            debugs = self._debugs
            began = now = time.monotonic()
            end = began + _SLICE
            prompt_steps = 0.0
            while now < end:
                if self._others and (self._pays or not self._first):
                    handle = self._others.popleft()
                    first = False
                elif self._first:
                    handle = self._first.popleft()
                    first = True
                else:
                    break
                if not handle.cancelled():
                    handle._run()  # noqa: SLF001 - as the loop itself does: it tells what is raised
                before, now = now, time.monotonic()
                if first:
                    prompt_steps += now - before
                if debugs and now - before >= self.slow_callback_duration:
                    _log.warning("Executing %r took %.3f seconds", handle, now - before)
            self._account(prompt_steps, now - began - prompt_steps)
        finally:  # an exception that ends the program leaves the rest to its last steps
            # In this order: a signal's handler, or a finalizer, may call something soon between any two.
            self._turn = None
            if (self._first or self._others) and self._turn is None:
                self._turn = super().call_soon(self._go_on, context=self._nobodys)

    def _account(self, prompt_steps: float, others: float) -> None:
        """Take down how long each kind ran."""
        # A slice that the others had for themselves counts, too. What nobody waits for is owed to nobody: who
        # comes later has no claim to it.
        self._owed = max(self._owed + prompt_steps - others, -_SLICE) if self._others else 0.0
        self._pays = self._owed > 0 if self._pays else self._owed >= _SLICE


class PromptLoop(PromptSteps, asyncio.SelectorEventLoop):
    """Python's own loop, and prompt."""
