"""The agent's line to the service: JSON objects, one a line; threads and signals wake its wait."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
from collections import deque
from collections.abc import Callable
from datetime import datetime
from typing import Any

_READ = 1 << 18
_MOST_UNSENT = 16


class ServiceGoneError(Exception):
    """The service closed its end: nobody is there any more to run things for."""


class Link:
    """Standard input and output of the agent, taken over.

    Args:
        incoming: descriptor that the service's orders come from.
        outgoing: descriptor for what the agent tells.
    """

    def __init__(self, incoming: int, outgoing: int) -> None:
        self._incoming = incoming
        self._outgoing = outgoing
        self._rest = b""
        self._unsent: list[bytes] = []
        self._wake_in, self._wake_out = os.pipe()
        os.set_blocking(self._wake_in, False)
        os.set_blocking(self._wake_out, False)
        signal.set_wakeup_fd(self._wake_out, warn_on_full_buffer=False)
        self._poll = select.poll()
        self._poll.register(incoming, select.POLLIN)
        self._poll.register(self._wake_in, select.POLLIN)
        self._calls: deque[Callable[[], None]] = deque()

    def tell(self, event: str, **fields: Any) -> None:
        """Have one event sent with the next `flush`; `wait` begins with one, and nobody waits for many.

        Args:
            event: its name.
            fields: JSON values; times are written as ISO 8601.

        Raises:
            ServiceGoneError: if nobody reads.
        """
        self._unsent.append(json.dumps({"event": event} | fields, default=datetime.isoformat).encode())
        if len(self._unsent) >= _MOST_UNSENT:
            self.flush()

    def flush(self) -> None:
        """Send what was told: together, since every write wakes the service.

        Raises:
            ServiceGoneError: if nobody reads.
        """
        if not self._unsent:
            return
        lines = b"\n".join((*self._unsent, b""))
        self._unsent.clear()
        try:
            while lines:
                lines = lines[os.write(self._outgoing, lines) :]
        except OSError as error:
            raise ServiceGoneError from error

    def call_soon(self, call: Callable[[], None]) -> None:
        """Have the loop call something; from any thread."""
        self._calls.append(call)
        with contextlib.suppress(BlockingIOError):  # full: the loop is woken anyway
            os.write(self._wake_out, b"\0")

    def wait(self, timeout: float) -> tuple[list[dict[str, Any]], list[Callable[[], None]]]:
        """Wait for orders, calls or signals.

        Args:
            timeout: seconds at most.

        Returns:
            The orders that came and the calls to make; both are empty after a signal or the time-out.

        Raises:
            ServiceGoneError: at the end of the input.
        """
        self.flush()
        orders: list[dict[str, Any]] = []
        # A partial line may hold no order; poll again only when the caller has looked at signals.
        for descriptor, _ in self._poll.poll(max(0, int(timeout * 1000) + 1)):
            if descriptor == self._wake_in:
                with contextlib.suppress(BlockingIOError):
                    os.read(self._wake_in, _READ)
            else:
                orders.extend(self._read())
        calls = []
        while self._calls:
            calls.append(self._calls.popleft())
        return orders, calls

    def _read(self) -> list[dict[str, Any]]:
        data = os.read(self._incoming, _READ)
        if not data:
            raise ServiceGoneError
        *lines, self._rest = (self._rest + data).split(b"\n")
        return [json.loads(line) for line in lines if line]
