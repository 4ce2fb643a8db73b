"""Row `list all`: reading 100,000 tasks of a job."""

from __future__ import annotations

import json
from functools import partial

import aiohttp
from azure.batch.aio import BatchClient
from azure.core.credentials import AzureNamedKeyCredential

from orchestrator.accounts import Account, BatchAccount
from orchestrator.accounts.snapshots import TASK_MEMBERS
from orchestrator.limits import Limits
from tests.bench.row import Row, in_turns
from tests.bench.server import KEY, settings, stub
from tests.bench.tasks import JOB_SIZE


async def ours(batch: BatchAccount) -> None:
    """Our way: what a snapshot is made of, page after page."""
    count = 0
    async for page in batch.list_tasks("j"):
        count += len(page)
    assert count == JOB_SIZE


async def peer(client: BatchClient, select: list[str] | None) -> None:
    """The SDK's way, all members as its documentation has it, or only what we ask for."""
    count = 0
    async for task in client.list_tasks("j", select=select):
        count += task.state == "active"
    assert count == JOB_SIZE


async def limit(session: aiohttp.ClientSession, address: str) -> None:
    """Nothing but json and aiohttp."""
    link: str | None = f"/jobs/j/tasks?maxresults=1000&$select={','.join(TASK_MEMBERS)}"
    count = 0
    while link is not None:
        async with session.get(address + link) as answer:
            page = json.loads(await answer.read())
        count += len(page["value"])
        link = page.get("odata.nextLink")
    assert count == JOB_SIZE


async def measure(rounds: int) -> list[Row]:
    """All rows of this file."""
    slim = list(TASK_MEMBERS)
    with stub() as address:
        account = Account(settings(address), Limits())
        await account.open()
        async with (
            BatchClient(address, AzureNamedKeyCredential("acc", KEY)) as client,
            aiohttp.ClientSession() as session,
        ):
            await limit(session, address)  # the stub makes its pages once
            taken = await in_turns(
                {
                    "ours": partial(ours, account.batch),
                    "limit": partial(limit, session, address),
                    "full": partial(peer, client, None),
                    "slim": partial(peer, client, slim),
                },
                rounds,
            )
        await account.close()
    rates = {name: JOB_SIZE / one.wall for name, one in taken.items()}
    cpu = ", ".join(f"{name} {one.cpu / JOB_SIZE * 1e6:.1f} us" for name, one in taken.items())
    return [
        Row(
            what="list all, SDK as documented",
            unit="tasks/s",
            ours=rates["ours"],
            peer=rates["full"],
            limit=rates["limit"],
            target="8 x peer",
            reached=rates["ours"] >= 8 * rates["full"],
            note=f"CPU a task: {cpu}",
        ),
        Row(
            what="list all, SDK with our $select",
            unit="tasks/s",
            ours=rates["ours"],
            peer=rates["slim"],
            limit=rates["limit"],
        ),
    ]
