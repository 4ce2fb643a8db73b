"""What somebody waits for goes first, and nothing is left out for it."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing
from typing import Any, TypeVar

import pytest
from aiohttp import ClientSession, web

from orchestrator.prompt_loop import PromptLoop, prompt, take_turns
from orchestrator.runtime.owner import Owner

T = TypeVar("T")

_MANY = 20_000


@pytest.fixture
def loop() -> Iterator[PromptLoop]:
    with closing(PromptLoop()) as loop:
        yield loop


class Flood:
    """Steps that follow each other without an end, as those of a daemon with much to do."""

    def __init__(self) -> None:
        self.steps = 0
        self._over = False

    async def flow(self) -> None:
        while not self._over:
            self.steps += 1
            await asyncio.sleep(0)

    async def beside(self, work: Callable[[], Awaitable[T]], width: int = 1) -> T:
        """What work comes to while so many of them flow."""
        flows = [asyncio.create_task(self.flow()) for _ in range(width)]
        await asyncio.sleep(0)
        try:
            return await work()
        finally:
            self._over = True
            await asyncio.gather(*flows)


def in_order(loop: PromptLoop, told: list[str]) -> list[str]:
    """What was told once all that is ready was run."""
    loop.call_later(0.01, loop.stop)
    loop.run_forever()
    return told


def test_steps_are_run_in_the_order_in_which_they_became_ready(loop: PromptLoop) -> None:
    told: list[str] = []
    for name in "abcd":
        loop.call_soon(told.append, name)
    assert in_order(loop, told) == ["a", "b", "c", "d"]


def test_what_is_prompt_is_run_before_what_was_ready_earlier(loop: PromptLoop) -> None:
    told: list[str] = []
    loop.call_soon(told.append, "first")
    with prompt():
        loop.call_soon(told.append, "prompt")
        loop.call_soon(told.append, "prompt too")
    loop.call_soon(told.append, "last")
    assert in_order(loop, told) == ["prompt", "prompt too", "first", "last"]


def test_a_task_that_is_prompt_passes_others_at_each_of_its_steps(loop: PromptLoop) -> None:
    flood = Flood()

    async def hurry() -> int:
        before = flood.steps
        for _ in range(20):
            await asyncio.sleep(0)
        return flood.steps - before

    async def hurried() -> int:
        with prompt():
            task = asyncio.create_task(hurry())
        return await task

    passed = loop.run_until_complete(flood.beside(hurried, width=100))
    assert passed <= 1


def test_a_flood_of_what_is_prompt_leaves_the_others_their_turns(loop: PromptLoop) -> None:
    flood = Flood()

    async def work() -> int:
        take_turns()
        for _ in range(20):
            await asyncio.sleep(0)
        return flood.steps

    async def main() -> int:
        task = asyncio.create_task(work())
        with prompt():
            return await flood.beside(lambda: task)

    assert 20 < loop.run_until_complete(main()) < _MANY


def test_sockets_are_looked_at_while_there_is_always_something_to_do(loop: PromptLoop) -> None:
    flood = Flood()
    reading, writing = os.pipe()

    async def come() -> bytes:
        came = asyncio.Event()
        loop.add_reader(reading, came.set)
        os.write(writing, b"x")
        await came.wait()
        loop.remove_reader(reading)
        return os.read(reading, 1)

    try:
        assert loop.run_until_complete(flood.beside(come, width=100)) == b"x"
    finally:
        os.close(reading)
        os.close(writing)


def test_a_step_that_was_taken_back_is_not_run(loop: PromptLoop) -> None:
    told: list[str] = []
    loop.call_soon(told.append, "a").cancel()
    loop.call_soon(told.append, "b")
    assert in_order(loop, told) == ["b"]


def test_a_step_that_fails_is_reported_and_harms_no_other(loop: PromptLoop) -> None:
    told: list[str] = []
    reported: list[dict[str, Any]] = []
    loop.set_exception_handler(lambda _, context: reported.append(context))
    loop.call_soon(lambda: 1 / 0)
    loop.call_soon(told.append, "after it")
    assert in_order(loop, told) == ["after it"]
    assert [type(context["exception"]) for context in reported] == [ZeroDivisionError]


def test_an_exception_that_ends_the_program_leaves_the_rest_to_its_last_steps(loop: PromptLoop) -> None:
    told: list[str] = []

    def end() -> None:
        raise KeyboardInterrupt

    loop.call_soon(end)
    loop.call_soon(told.append, "the rest")
    with pytest.raises(KeyboardInterrupt):
        loop.run_forever()
    assert told == []
    assert in_order(loop, told) == ["the rest"]


def test_a_closed_loop_takes_nothing() -> None:
    loop = PromptLoop()
    loop.close()
    with pytest.raises(RuntimeError, match="closed"):
        loop.call_soon(print)


def test_a_run_that_a_request_begins_is_in_no_hurry(loop: PromptLoop) -> None:
    flood = Flood()

    async def main() -> int:
        owner = Owner()
        await owner.open()
        steps = asyncio.get_running_loop().create_future()

        async def work() -> None:
            before = flood.steps
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            steps.set_result(flood.steps - before)

        async def ask() -> int:
            with prompt():
                owner.start(work, "work")
            return int(await steps)

        try:
            return await flood.beside(ask, width=100)
        finally:
            await owner.close()

    assert loop.run_until_complete(main()) >= 100


def test_a_request_of_a_server_that_is_prompt_passes_what_the_others_do(loop: PromptLoop) -> None:
    flood = Flood()
    seen: list[int] = []

    async def handle(_request: web.Request) -> web.Response:
        before = flood.steps
        for _ in range(10):
            await asyncio.sleep(0)
        seen.append(flood.steps - before)
        return web.Response()

    async def main() -> int:
        app = web.Application()
        app.router.add_get("/", handle)
        runner = web.AppRunner(app)
        await runner.setup()
        listening = socket.create_server(("127.0.0.1", 0))
        with prompt():
            await web.SockSite(runner, listening).start()
        url = f"http://127.0.0.1:{listening.getsockname()[1]}/"

        async def ask() -> int:
            async with ClientSession() as session, session.get(url) as answer:
                return answer.status

        try:
            return await flood.beside(ask, width=100)
        finally:
            await runner.cleanup()

    assert loop.run_until_complete(main()) == 200
    assert max(seen) <= 1
