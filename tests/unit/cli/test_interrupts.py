from __future__ import annotations

import asyncio
import os
import signal

import pytest

from orchestrator.cli.interrupts import Interrupts


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_the_first_signal_asks_and_every_later_one_ends_at_once(number: signal.Signals) -> None:
    came: list[str] = []
    twice = asyncio.Event()

    def second() -> None:
        came.append("second")
        twice.set()

    interrupts = Interrupts(first=came.append, second=second)
    with interrupts.installed():
        assert not interrupts.asked
        os.kill(os.getpid(), number)
        async with asyncio.timeout(5):
            await interrupts.wait()
        os.kill(os.getpid(), number)
        async with asyncio.timeout(5):
            await twice.wait()
    assert came == [number.name, "second"]
