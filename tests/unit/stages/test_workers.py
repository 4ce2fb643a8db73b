"""Several coroutines at once: the first error is raised as itself, and ends the others."""

from __future__ import annotations

from functools import partial

import anyio
import pytest

from orchestrator.stages.workers import run_all


async def test_all_are_run_at_once_and_each_once() -> None:
    began: list[int] = []
    both = anyio.Event()

    async def work(number: int) -> None:
        began.append(number)
        if len(began) == 2:
            both.set()
        await both.wait()

    with anyio.fail_after(5):
        await run_all(partial(work, 1), partial(work, 2))
    assert sorted(began) == [1, 2]


@pytest.mark.parametrize("error", [KeyError("a defect"), OSError("a disk")])
async def test_any_error_comes_as_itself_and_ends_the_others(error: Exception) -> None:
    async def broken() -> None:
        await anyio.lowlevel.checkpoint()
        raise error

    with anyio.fail_after(5), pytest.raises(type(error)) as raised:
        await run_all(anyio.sleep_forever, broken)
    assert raised.value is error


async def test_nothing_to_run_is_fine() -> None:
    await run_all()
