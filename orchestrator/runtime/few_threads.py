"""Threads for what keeps Python's lock: few of them, or the loop would get a small share of it.

Reading and planning a job of a thousand tasks is a tenth of a second of Python. `anyio.to_thread` lets forty
such calls run side by side, none of them sooner done for it, and the loop's turn comes once in forty.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeVar, TypeVarTuple

import anyio
import anyio.lowlevel
import anyio.to_thread

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

_AT_ONCE: Final = 2
"""More than one: planning reads files too, whose disk may be slow."""
_LIMITERS: anyio.lowlevel.RunVar[anyio.CapacityLimiter] = anyio.lowlevel.RunVar("orchestrator.few_threads")


async def in_few_threads(work: Callable[[*Ts], T], *arguments: *Ts) -> T:
    """Call a function that is mostly Python in a thread, in its turn.

    Args:
        work: the function.
        arguments: of it.

    Returns:
        What it returned.
    """
    try:
        limiter = _LIMITERS.get()
    except LookupError:  # the first call in this loop
        limiter = anyio.CapacityLimiter(_AT_ONCE)
        _LIMITERS.set(limiter)
    return await anyio.to_thread.run_sync(work, *arguments, limiter=limiter)
