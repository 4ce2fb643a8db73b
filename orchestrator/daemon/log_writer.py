"""Writes log lines in a thread of its own, many at a time: the loop waits for no disk and no pipe."""

from __future__ import annotations

import contextlib
import threading
import time
from collections import deque
from typing import Final, TextIO

_GATHERED: Final = 0.02
"""Seconds for which lines are gathered. Each writing lets go of Python's lock, which the loop then has to win
back from whoever works beside it."""
_MOST: Final = 10_000
"""Lines that wait; past that, whoever logs waits, as he would for a stream that takes no more."""


class LogWriter:
    """A logger at the end of structlog's chain; any thread may log.

    What is lost when the process is killed is what was logged in the last moment before.

    Args:
        stream: where lines go.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._waiting: deque[str] = deque()
        self._there = threading.Event()
        self._writing = threading.Lock()
        # A daemon: it must not keep the program from ending; `flush` has written all by then.
        threading.Thread(target=self._run, name="log", daemon=True).start()

    def msg(self, message: str) -> None:
        """Log a line."""
        self._waiting.append(message)
        if not self._there.is_set():
            self._there.set()
        if len(self._waiting) > _MOST:
            self.flush()

    debug = info = warning = error = critical = fatal = log = msg

    def write(self, text: str) -> None:
        """Log a line, as a stream takes it; for handlers of `logging`."""
        self.msg(text.removesuffix("\n"))

    def flush(self) -> None:
        """Write what waits, here and now."""
        with self._writing:
            lines: list[str] = []
            while self._waiting:
                lines.append(self._waiting.popleft())
            if lines:
                lines.append("")
                # A full disk must not end anything; there is nowhere left to tell of it.
                with contextlib.suppress(OSError, ValueError):
                    self._stream.write("\n".join(lines))
                    self._stream.flush()

    def _run(self) -> None:
        while True:
            self._there.wait()
            time.sleep(_GATHERED)
            self._there.clear()
            self.flush()
