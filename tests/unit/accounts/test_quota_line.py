from __future__ import annotations

import anyio
import pytest

from orchestrator.accounts.quota_line import QuotaLine
from orchestrator.errors import QuotaError


class Account:
    """Has so much room."""

    def __init__(self, room: int) -> None:
        self.room = room
        self.taken: list[str] = []

    async def take(self, run_id: str) -> str:
        await anyio.lowlevel.checkpoint()
        if len(self.taken) >= self.room:
            raise QuotaError("full", operation="create", status=409, code="QuotaReached")
        self.taken.append(run_id)
        return run_id


async def test_nobody_waits_unless_told_to() -> None:
    line, account = QuotaLine(interval=60), Account(0)
    with pytest.raises(QuotaError):
        await line.through("job", "a", lambda: account.take("a"))
    assert line.place("a") is None


async def test_who_asked_first_gets_the_first_place_and_nobody_is_overtaken() -> None:
    line, account = QuotaLine(interval=60), Account(0)
    line.patient = True

    async def ask(run_id: str) -> None:
        await line.through("job", run_id, lambda: account.take(run_id))

    with anyio.fail_after(10):
        async with anyio.create_task_group() as group:
            for run_id in ("a", "b", "c"):
                group.start_soon(ask, run_id)
            await anyio.wait_all_tasks_blocked()
            assert [line.place(run_id) for run_id in ("a", "b", "c")] == [1, 2, 3]
            assert "full" in str(line.reason("a"))
            assert len(line) == 3
            account.room = 2
            line.look_again()
            await anyio.wait_all_tasks_blocked()
            assert account.taken == ["a", "b"]
            assert line.place("c") == 1
            account.room = 3
            line.look_again()
    assert account.taken == ["a", "b", "c"]
    assert len(line) == 0


async def test_while_nobody_is_in_line_all_ask_at_once() -> None:
    line = QuotaLine(interval=60)
    line.patient = True
    asking: list[str] = []
    all_ask = anyio.Event()

    async def attempt(run_id: str) -> None:
        asking.append(run_id)
        if len(asking) == 3:
            all_ask.set()
        await all_ask.wait()

    with anyio.fail_after(10):
        async with anyio.create_task_group() as group:
            for run_id in ("a", "b", "c"):
                group.start_soon(line.through, "job", run_id, lambda run_id=run_id: attempt(run_id))
    assert sorted(asking) == ["a", "b", "c"]


async def test_who_gives_up_makes_room_for_the_next_and_each_quota_has_its_own_line() -> None:
    line, account, pools = QuotaLine(interval=60), Account(0), Account(1)
    line.patient = True
    scope = anyio.CancelScope()

    async def give_up() -> None:
        with scope:
            await line.through("job", "a", lambda: account.take("a"))

    async def ask() -> None:
        await line.through("job", "b", lambda: account.take("b"))

    with anyio.fail_after(10):
        async with anyio.create_task_group() as group:
            group.start_soon(give_up)
            group.start_soon(ask)
            await anyio.wait_all_tasks_blocked()
            assert await line.through("pool", "c", lambda: pools.take("c")) == "c"
            account.room = 1
            scope.cancel()
    assert account.taken == ["b"]
    assert line.reason("a") is None
