"""The open connections of a node that no transfer uses at the moment.

One for each transfer would be made and thrown away twice a task: the machine keeps each for a minute after
its end, and has 28,000 numbers for them, so that 250 short tasks a second would use them up.
"""

from __future__ import annotations

import http.client
import select
import threading
from collections import deque
from typing import TypeAlias

Origin: TypeAlias = tuple[str, str]
"""Scheme, and host with port."""

_MOST = 64
"""Kept at a time; as a rule a node's transfers all go to one account."""


class Connections:
    """Connections without a request under way; used from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._idle: deque[tuple[Origin, http.client.HTTPConnection]] = deque()

    def take(self, origin: Origin) -> http.client.HTTPConnection | None:
        """Take the one to an origin that was used last; None if none is open."""
        while (found := self._newest(origin)) is not None:
            if not _ended(found):
                return found
            found.close()
        return None

    def keep(self, origin: Origin, connection: http.client.HTTPConnection) -> None:
        """Put one back whose last answer was read to its end."""
        dropped: http.client.HTTPConnection | None = None
        with self._lock:
            self._idle.append((origin, connection))
            if len(self._idle) > _MOST:
                _, dropped = self._idle.popleft()
        if dropped is not None:
            dropped.close()

    def _newest(self, origin: Origin) -> http.client.HTTPConnection | None:
        with self._lock:
            for index in reversed(range(len(self._idle))):
                if self._idle[index][0] == origin:
                    _, found = self._idle[index]
                    del self._idle[index]
                    return found
        return None


def _ended(connection: http.client.HTTPConnection) -> bool:
    """Whether the server has ended it, or has said what nobody asked for."""
    if connection.sock is None:
        return True
    poll = select.poll()
    poll.register(connection.sock, select.POLLIN)
    return bool(poll.poll(0))
