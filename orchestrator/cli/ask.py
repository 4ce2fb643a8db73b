"""Asks on a terminal whether something is to be deleted, without blocking the loop."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable

import anyio

from orchestrator.cli.interrupts import Interrupts
from orchestrator.cli.render.escape import shown
from orchestrator.spec.job import CleanupSpec, CleanupWhen

Ask = Callable[[str, str], Awaitable[bool]]


def has_terminal() -> bool:
    """Whether somebody can be asked: stdin and stderr are a terminal."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def asked_for(cleanup: CleanupSpec) -> tuple[str, ...]:
    """Names of the clean-up settings that ask.

    Args:
        cleanup: the job file's.
    """
    named = {"containers": cleanup.containers, "job": cleanup.job, "pool": cleanup.pool}
    return tuple(name for name, when in named.items() if when is CleanupWhen.ASK)


def confirm(question: str) -> bool:
    """Ask on the terminal and wait for a line; anything but a yes means no.

    Args:
        question: without its end.
    """
    sys.stderr.write(f"{shown(question)} [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in {"y", "yes"}


async def delete_on_terminal(kind: str, name: str, *, interrupts: Interrupts) -> bool:
    """Ask `Delete KIND NAME? [Y/n]` and wait for a line; Ctrl-C meanwhile means yes: nothing costly stays.

    A Ctrl-C from before the question answers nothing: it asked to end the work, not to delete this.

    Args:
        kind: what it is: `job`, `pool`.
        name: its id.
        interrupts: whose next signal answers for the user.

    Returns:
        Whether to delete it; an empty line and the end of the input mean yes.
    """
    interrupted = interrupts.next
    sys.stderr.write(f"Delete {kind} {shown(name)}? [Y/n] ")
    sys.stderr.flush()
    answered = asyncio.Event()
    loop = asyncio.get_running_loop()
    # A reader of the loop and not input() in a thread: a thread that waits for a line can't be called off.
    loop.add_reader(sys.stdin.fileno(), answered.set)
    try:
        await _first_of(answered.wait, interrupted.wait)
    finally:
        loop.remove_reader(sys.stdin.fileno())
    if not answered.is_set():
        sys.stderr.write("\n")
        return True
    line = os.read(sys.stdin.fileno(), 1024).decode(errors="replace")
    return not line.strip().lower().startswith("n")


async def _first_of(*waits: Callable[[], Awaitable[object]]) -> None:
    async def one(wait: Callable[[], Awaitable[object]]) -> None:
        await wait()
        group.cancel_scope.cancel()

    async with anyio.create_task_group() as group:
        for wait in waits:
            group.start_soon(one, wait)
