"""Nothing is stranded, starved or left unsaid, whatever comes in between."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import inspect
import logging
import sys
import threading
import weakref
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import closing
from types import FrameType, SimpleNamespace
from typing import Any

import pytest

from orchestrator import prompt_loop
from orchestrator.prompt_loop import PromptLoop, prompt

pytestmark = pytest.mark.timeout(60)

LIMIT = 20


@pytest.fixture
def loop() -> Iterator[PromptLoop]:
    with closing(PromptLoop()) as loop:
        yield loop


def run_what_is_ready(loop: PromptLoop) -> None:
    """One look at the sockets, and what is ready by then."""
    loop.stop()
    loop.run_forever()


class Interruption:
    """Does something once, before the n-th bytecode that the loop's own code comes to."""

    def __init__(self, place: int, happens: Callable[[], object]) -> None:
        self._left = place
        self._happens = happens
        self._before = sys.gettrace()

    @property
    def happened(self) -> bool:
        return self._left < 0

    def __enter__(self) -> Interruption:
        inspect.currentframe().f_trace_opcodes = True  # type: ignore[union-attr] # Python 3.12 looks here only
        sys.settrace(self._called)
        return self

    def __exit__(self, *_: object) -> None:
        sys.settrace(self._before)

    def _called(self, frame: FrameType, _event: str, _argument: object) -> Any:
        if frame.f_code not in {PromptLoop.call_soon.__code__, PromptLoop._go_on.__code__}:
            return None
        frame.f_trace_opcodes = True
        return self._stepped

    def _stepped(self, _frame: FrameType, event: str, _argument: object) -> Callable[..., object]:
        if event == "opcode" and self._left >= 0:
            self._left -= 1
            if self._left < 0:
                self._happens()
        return self._stepped


def everywhere(attempt: Callable[[int], bool]) -> int:
    """In how many places it was attempted: at one after the other, until it says that there is none."""
    place = 0
    while attempt(place) or attempt(place):  # Python 3.13 traces bytecodes from a function's second call on
        place += 1
    return place


def test_what_a_finalizer_or_a_signal_calls_soon_anywhere_is_run() -> None:
    def attempt(place: int) -> bool:
        told: list[str] = []
        with closing(PromptLoop()) as loop:
            with Interruption(place, lambda: loop.call_soon(told.append, "between")) as interruption:
                loop.call_soon(told.append, "step")
                run_what_is_ready(loop)
            run_what_is_ready(loop)
        if not interruption.happened:
            return False
        assert sorted(told) == ["between", "step"], place
        return True

    assert everywhere(attempt) > 50


def test_ctrl_c_anywhere_leaves_a_loop_that_can_be_ended() -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    def attempt(place: int) -> bool:
        told: list[str] = []
        with closing(PromptLoop()) as loop:
            with contextlib.suppress(KeyboardInterrupt), Interruption(place, interrupt) as interruption:
                loop.call_soon(told.append, "step")
                run_what_is_ready(loop)
            loop.call_soon(told.append, "end")
            run_what_is_ready(loop)
        if not interruption.happened:
            return False
        assert told[-1:] == ["end"], place
        return True

    # Python 3.13 traces no more bytecodes after one of them raised.
    assert everywhere(attempt) > (50 if sys.version_info < (3, 13) else 0)


def test_loops_of_two_threads_are_in_nobody_s_way(loop: PromptLoop) -> None:
    told: list[str] = []

    def beside() -> None:
        with closing(PromptLoop()) as other:
            other.call_soon(told.append, "beside")
            run_what_is_ready(other)

    def step() -> None:
        thread = threading.Thread(target=beside)
        thread.start()
        thread.join(LIMIT)

    loop.call_soon(step)
    run_what_is_ready(loop)
    assert told == ["beside"]


@pytest.mark.parametrize("length", [0.001, 0.0039, 0.02])
def test_no_flood_of_requests_takes_more_than_half_of_the_time(
    loop: PromptLoop, monkeypatch: pytest.MonkeyPatch, length: float
) -> None:
    now = requests = others = 0.0
    monkeypatch.setattr(prompt_loop, "time", SimpleNamespace(monotonic=lambda: now))

    def answer() -> None:
        nonlocal now, requests
        now += length
        requests += length
        loop.call_soon_threadsafe(come)

    def come() -> None:  # like what a socket brings
        with prompt():
            loop.call_soon(answer)
        if now >= 2:
            loop.stop()

    def work() -> None:
        nonlocal now, others
        now += 0.0001
        others += 0.0001
        loop.call_soon(work)

    loop.call_soon(work)
    loop.call_soon_threadsafe(come)
    loop.run_forever()
    assert others >= 0.98 * requests
    assert requests > 0.2 * now


def test_work_that_comes_after_a_flood_has_no_claim_to_its_time(
    loop: PromptLoop, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 0.0
    monkeypatch.setattr(prompt_loop, "time", SimpleNamespace(monotonic=lambda: now))
    told: list[str] = []

    def take(name: str) -> None:
        nonlocal now
        now += 1
        told.append(name)

    for _ in range(3):
        with prompt():
            loop.call_soon(take, "request")
        run_what_is_ready(loop)
    loop.call_soon(take, "work")
    with prompt():
        loop.call_soon(take, "request")
    run_what_is_ready(loop)
    assert told == ["request"] * 4


def test_a_closed_loop_keeps_nothing_alive() -> None:
    class Large:
        def step(self) -> None:
            pass

    large = Large()
    kept = weakref.ref(large)
    loop = PromptLoop()
    loop.call_soon(large.step)
    loop.close()
    del large
    gc.collect()
    assert kept() is None


def test_a_loop_that_debugs_tells_of_a_call_from_another_thread(loop: PromptLoop) -> None:
    refused: list[RuntimeError] = []

    def misuse() -> None:
        try:
            loop.call_soon(print)
        except RuntimeError as error:
            refused.append(error)

    def step() -> None:
        thread = threading.Thread(target=misuse)
        thread.start()
        thread.join(LIMIT)

    loop.set_debug(True)
    loop.call_soon(step)
    run_what_is_ready(loop)
    assert len(refused) == 1


def test_a_loop_that_debugs_names_a_slow_step(
    loop: PromptLoop, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    now = 0.0
    monkeypatch.setattr(prompt_loop, "time", SimpleNamespace(monotonic=lambda: now))

    def sluggish() -> None:
        nonlocal now
        now += 1

    loop.set_debug(True)
    loop.call_soon(sluggish)
    loop.call_soon(print)
    with caplog.at_level(logging.WARNING, logger="asyncio"):
        run_what_is_ready(loop)
    (message,) = caplog.messages
    assert "sluggish" in message
    assert "took 1.000 seconds" in message


def test_a_program_s_end_is_that_of_asyncio_run() -> None:
    told: list[str] = []

    async def numbers() -> AsyncIterator[int]:
        try:
            while True:
                yield 1
        finally:
            await asyncio.sleep(0)
            told.append("generator closed")

    async def beside() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            told.append("task cancelled")

    async def main() -> int:
        task = asyncio.create_task(beside())
        made.append(numbers())
        await anext(made[0])
        del task
        return await asyncio.to_thread(lambda: 3)

    made: list[AsyncIterator[int]] = []
    with asyncio.Runner(loop_factory=PromptLoop) as runner:
        assert runner.run(main()) == 3
    assert told == ["task cancelled", "generator closed"]
