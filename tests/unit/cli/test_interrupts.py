from __future__ import annotations

import asyncio
import os
import signal

import pytest

from orchestrator.cli.interrupts import Interrupts


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
async def test_the_first_signal_asks_and_every_later_one_ends_at_once(number: signal.Signals) -> None:
    came: list[str] = []
    twice = asyncio.Event()

    def second() -> None:
        came.append("second")
        twice.set()

    interrupts = Interrupts(first=came.append, second=second)
    with interrupts.installed():
        assert not interrupts.asked
        asked = interrupts.next
        os.kill(os.getpid(), number)
        async with asyncio.timeout(5):
            await asked.wait()
        os.kill(os.getpid(), number)
        async with asyncio.timeout(5):
            await twice.wait()
    assert came == [number.name, "second"]


async def test_who_waits_for_the_next_signal_is_not_told_of_an_earlier_one() -> None:
    interrupts = Interrupts(first=lambda _: None, second=lambda: None)
    with interrupts.installed():
        earlier = interrupts.next
        os.kill(os.getpid(), signal.SIGINT)
        async with asyncio.timeout(5):
            await earlier.wait()
        later = interrupts.next
        assert not later.is_set()
        os.kill(os.getpid(), signal.SIGINT)
        async with asyncio.timeout(5):
            await later.wait()


async def test_a_program_under_nohup_outlives_its_terminal() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with Interrupts(first=lambda _: None, second=lambda: None).installed():
            assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)
