"""Tells systemd how the daemon is: a plain datagram to the socket that NOTIFY_SOCKET names.

The protocol is that of sd_notify(3); without the variable nothing is told to anybody.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Mapping

import structlog

log = structlog.get_logger()

_MICROSECONDS = 1_000_000


class Supervisor:
    """Who started the daemon and wants to know how it is.

    Args:
        environ: with `NOTIFY_SOCKET` and, if there is a watchdog, `WATCHDOG_USEC` and `WATCHDOG_PID`.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        address = environ.get("NOTIFY_SOCKET", "")
        # "@" stands for the NUL with which an abstract name begins.
        self._address = "\0" + address[1:] if address.startswith("@") else address
        pid = environ.get("WATCHDOG_PID", "")
        ours = not pid or pid == str(os.getpid())
        usec = environ.get("WATCHDOG_USEC", "")
        self._watchdog = int(usec) / _MICROSECONDS if usec.isdigit() and ours else 0.0
        self._fed = 0.0

    def ready(self) -> None:
        """The daemon takes jobs."""
        self._tell("READY=1")

    def reloading(self) -> None:
        """The configuration is being read again; `ready` follows."""
        self._tell(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self) -> None:
        """The daemon is about to end."""
        self._tell("STOPPING=1")

    def beat(self) -> None:
        """The loop turns: feed the watchdog, thrice as often as it asks for."""
        now = time.monotonic()
        if self._watchdog and now - self._fed >= self._watchdog / 3:
            self._fed = now
            self._tell("WATCHDOG=1")

    def _tell(self, state: str) -> None:
        if not self._address:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as sender:
                sender.sendto(state.encode(), self._address)
        except OSError as error:
            log.warning("supervisor.not_told", state=state.partition("=")[0], error=str(error))
