from __future__ import annotations

import anyio

from orchestrator.accounts.shared_pools import SharedPools


async def test_a_pool_is_somebody_s_until_the_last_run_has_left_it() -> None:
    pools = SharedPools()
    await pools.join("Small", "a")
    await pools.join("small", "b")
    await pools.leave("small", "a")
    async with pools.deciding("SMALL") as heir:
        assert heir == "b"
    await pools.leave("small", "b")
    await pools.leave("small", "never there")
    async with pools.deciding("small") as heir:
        assert heir is None


async def test_nobody_comes_to_a_pool_or_leaves_it_while_it_is_decided_about() -> None:
    pools, came = SharedPools(), list[str]()
    await pools.join("p", "a")

    async def come() -> None:
        await pools.join("p", "b")
        came.append("b")

    async def leave() -> None:
        await pools.leave("p", "a")
        came.append("a left")

    with anyio.fail_after(10):
        async with anyio.create_task_group() as group, pools.deciding("p"):
            group.start_soon(leave)
            group.start_soon(come)
            await anyio.wait_all_tasks_blocked()
            assert came == []
    assert came == ["a left", "b"]
