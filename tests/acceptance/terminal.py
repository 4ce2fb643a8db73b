"""A pseudo terminal that a program runs on, and what it shows there."""

from __future__ import annotations

import os
import selectors
import termios
import time
from types import TracebackType
from typing import Self

from tests.acceptance.program import LIMIT

_SIZE = (50, 200)


class Terminal:
    """Its screen is never interpreted: what was written to it is kept as it came."""

    def __init__(self) -> None:
        self._ours, self.theirs = os.openpty()
        termios.tcsetwinsize(self.theirs, _SIZE)
        self.written = b""
        self._seen = 0
        self._open = True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.hand_over()
        os.close(self._ours)

    def hand_over(self) -> None:
        """Close our copy of the program's side, so that its end is the end of the output."""
        if self._open:
            self._open = False
            os.close(self.theirs)

    def type(self, text: str) -> None:
        """Give the program something to read."""
        os.write(self._ours, text.encode())

    def until(self, wanted: str) -> None:
        """Read until this was written, after what an earlier call waited for.

        Raises:
            TimeoutError: it was not written in time.
            AssertionError: the program ended without it.
        """
        deadline = time.monotonic() + LIMIT
        while (found := self.written.find(wanted.encode(), self._seen)) < 0:
            if not self._read(deadline):
                raise AssertionError(f"it ended without {wanted!r}: {self.written.decode(errors='replace')}")
        self._seen = found + len(wanted.encode())

    def to_the_end(self) -> str:
        """All that was written, once the program has closed its side."""
        deadline = time.monotonic() + LIMIT
        while self._read(deadline):
            pass
        return self.written.decode()

    def _read(self, deadline: float) -> bool:
        with selectors.DefaultSelector() as selector:
            selector.register(self._ours, selectors.EVENT_READ)
            if not selector.select(max(deadline - time.monotonic(), 0)):
                raise TimeoutError(f"not in {LIMIT:.0f} s; so far: {self.written.decode(errors='replace')}")
        try:
            came = os.read(self._ours, 65536)
        except OSError:
            return False  # EIO: the other side is closed
        self.written += came
        return bool(came)
