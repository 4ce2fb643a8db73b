"""The event loop of a program that runs for long: uvloop's where that is installed, else Python's own."""

from __future__ import annotations

import asyncio
import gc
import importlib
import sys
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from orchestrator.prompt_loop import PromptLoop, PromptSteps

T = TypeVar("T")

_YOUNG = 10_000
"""New objects until the collector looks for garbage among them. After 700, which is Python's own choice, it
finds mostly what is under way, and comes to look at everything there is every two seconds, for a fifth of a
second (measured with forty runs at once)."""

_TURN = 0.001
"""Seconds until a thread that has Python's lock gives it up to one that waits. With Python's own 0.005 the
loop loses so much wherever it lets go of the lock, be it for a line of its log, while the journal works."""


def run(work: Coroutine[Any, Any, T], *, prompt: bool = False) -> T:
    """Run a program's main coroutine; Ctrl-C is as with `asyncio.run`.

    Args:
        work: the coroutine.
        prompt: whether there are some who ask and are to be answered before other work goes on: see
            `prompt_loop`. Each step costs more then, with uvloop more than twice as much (measured).

    Returns:
        What it returned.
    """
    gc.set_threshold(_YOUNG, *gc.get_threshold()[1:])
    sys.setswitchinterval(_TURN)
    with asyncio.Runner(loop_factory=_prompt_factory() if prompt else _factory()) as runner:
        return runner.run(work)


def _factory() -> type[asyncio.AbstractEventLoop]:
    try:
        found: type[asyncio.AbstractEventLoop] = importlib.import_module("uvloop").Loop
    except ImportError:
        return asyncio.SelectorEventLoop
    return found


def _prompt_factory() -> Callable[[], asyncio.AbstractEventLoop]:
    fast = _factory()
    if fast is asyncio.SelectorEventLoop:
        return PromptLoop
    # Made here, since it can't be defined where uvloop is not installed.
    found: Callable[[], asyncio.AbstractEventLoop] = type("FastPromptLoop", (PromptSteps, fast), {})
    return found
