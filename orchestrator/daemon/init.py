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
    child = os.fork()
    if child == 0:
        os._exit(work())
    for number in _PASSED_ON:
        signal.signal(number, lambda came, _frame: _pass_on(child, came))
    while True:
        # Waits for any child: those of others, left behind here, and in the end our own.
        pid, status = os.wait()
        if pid == child:
            code = os.waitstatus_to_exitcode(status)
            return code if code >= 0 else 128 - code


def _pass_on(child: int, number: int) -> None:
    os.kill(child, number)
