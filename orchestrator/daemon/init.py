"""As a container's PID 1: a small parent that passes signals on and takes leave of every child.

PID 1 gets no default handling of signals, and inherits the children of those that end before them; asyncio
waits for its own children only. So the daemon itself is a child, and its parent does nothing else.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

_PASSED_ON = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2)


def under_an_init(work: Callable[[], int]) -> int:
    """Do the work in a child, and everything that PID 1 owes in this process. Call it before any thread.

    Args:
        work: the program; its result is the exit code.

    Returns:
        The exit code; 128 and its number if a signal ended the child.
    """
    awaited = {*_PASSED_ON, signal.SIGCHLD}
    # Blocked before there is a child, and taken one by one: to a handler, a signal that comes just before the
    # wait begins would be told at its end only, and one that comes before the handler is there, never.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, awaited)
    child = os.fork()
    if child == 0:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        os._exit(work())
    while True:
        number = signal.sigwait(awaited)
        if number != signal.SIGCHLD:
            os.kill(child, number)
        elif (code := _take_leave(child)) is not None:
            return code


def _take_leave(child: int) -> int | None:
    """Of every child that is over, those that others left behind included: our own's exit code, or None."""
    while True:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid == child:
            code = os.waitstatus_to_exitcode(status)
            return code if code >= 0 else 128 - code
        if pid == 0:
            return None
