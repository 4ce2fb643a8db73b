"""Ctrl-C, SIGTERM and SIGHUP: the first asks to end well, the second ends at once."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Callable, Iterator

# A terminal that is closed sends SIGHUP: what was created still has to be cleaned up.
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupts:
    """Counts the signals that ask the program to end, and says so to whoever waits or registered.

    Args:
        first: called at the first signal, with its name.
        second: called at the second and every later one.
    """

    def __init__(self, *, first: Callable[[str], None], second: Callable[[], None]) -> None:
        self._first = first
        self._second = second
        self._asked = False
        self._next = asyncio.Event()

    @property
    def asked(self) -> bool:
        """Whether a signal has come."""
        return self._asked

    @property
    def next(self) -> asyncio.Event:
        """Set by the next signal that comes after this look, whatever came before it."""
        return self._next

    @contextlib.contextmanager
    def installed(self) -> Iterator[None]:
        """Listen inside the block; call it in the running loop, whose handlers see no half-done bytecode."""
        loop = asyncio.get_running_loop()
        # What is ignored from the start is to stay ignored: `nohup` lets a program outlive its terminal so.
        heard = [number for number in _SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
        for number in heard:
            loop.add_signal_handler(number, self._came, number)
        try:
            yield
        finally:
            for number in heard:
                loop.remove_signal_handler(number)

    def _came(self, number: signal.Signals) -> None:
        came, self._next = self._next, asyncio.Event()
        came.set()
        if self._asked:
            self._second()
        else:
            self._asked = True
            self._first(number.name)
