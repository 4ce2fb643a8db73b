"""Transfers share their memory in the order of asking; nobody waits for ever, and none of it is lost."""

from __future__ import annotations

import anyio
import pytest

from orchestrator.accounts.budget import TransferBudget


async def test_what_is_free_is_taken_at_once_and_given_back() -> None:
    budget = TransferBudget(10)
    assert await budget.take(4) == 4
    assert budget.free == 6
    budget.give_back(4)
    async with budget.held(10):
        assert budget.free == 0
    assert budget.free == 10


async def test_more_than_there_is_counts_as_all_of_it() -> None:
    budget = TransferBudget(10)
    taken = await budget.take(1000)
    assert taken == 10
    budget.give_back(taken)
    assert budget.free == 10


async def test_who_came_first_goes_first_even_when_less_would_fit() -> None:
    budget = TransferBudget(10)
    order: list[str] = []

    async def take(name: str, size: int) -> None:
        async with budget.held(size):
            order.append(name)

    with anyio.fail_after(5):
        async with anyio.create_task_group() as group:
            taken = await budget.take(6)
            for name, size in (("large", 8), ("small", 1)):
                group.start_soon(take, name, size)
                await anyio.wait_all_tasks_blocked()
            assert order == []
            budget.give_back(taken)
    assert order == ["large", "small"]
    assert budget.free == 10


@pytest.mark.parametrize("granted", [False, True])
async def test_who_is_cancelled_while_waiting_takes_nothing_along(granted: bool) -> None:
    budget = TransferBudget(10)
    got: list[int] = []

    async def take(size: int) -> None:
        got.append(await budget.take(size))

    with anyio.fail_after(5):
        taken = await budget.take(10)
        async with anyio.create_task_group() as group:
            scope = anyio.CancelScope()

            async def doomed() -> None:
                with scope:
                    async with budget.held(9):
                        await anyio.sleep_forever()

            group.start_soon(doomed)
            await anyio.wait_all_tasks_blocked()
            group.start_soon(take, 2)
            await anyio.wait_all_tasks_blocked()
            if granted:  # cancelled in the moment between being let in and noticing it
                budget.give_back(taken)
            scope.cancel()
            await anyio.wait_all_tasks_blocked()
            if not granted:
                budget.give_back(taken)
    assert got == [2]
    assert budget.free == 8
