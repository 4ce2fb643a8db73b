"""Rows `submit`: adding 20,000 tasks, building them included; the service quick, slow, and out of order."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from functools import partial

import aiohttp
from azure.batch import models as m
from azure.batch.aio import BatchClient
from azure.core.credentials import AzureNamedKeyCredential

from orchestrator.accounts import Account, BatchAccount
from orchestrator.accounts.bodies import encode, output_file_body, resource_file_body, task_body
from orchestrator.events import Event
from orchestrator.limits import Limits
from orchestrator.spec.duration import Duration
from orchestrator.spec.files import UploadCondition
from orchestrator.spec.secret import SecretText
from orchestrator.stages.submit import TaskBody, TaskSubmission
from tests.bench.row import Row, in_turns
from tests.bench.server import KEY, reset, settings, stats, stub
from tests.bench.tasks import READ_URL, WRITE_URL, command, plain

TASKS = 20_000
CHUNK = 100
PEERS = (1, 8, 32, 64)
LIMITS = (8, 32, 64)
PREBUILT_TIMES = 2.5


async def bodies(count: int) -> AsyncIterator[TaskBody | None]:
    """The tasks, built as our stages build them."""
    read, write = SecretText(READ_URL), SecretText(WRITE_URL)
    hour = Duration.of(3600)
    for number in range(count):
        task_id = f"task-{number:07}"
        body = task_body(
            task_id=task_id,
            command_line=command(number),
            resource_files=[resource_file_body(http_url=read, file_path=f"input-{number}.txt")],
            output_files=[output_file_body("*.out", write, task_id, UploadCondition.TASK_COMPLETION)],
            environment={"INDEX": SecretText(str(number)), "MODE": SecretText("count")},
            max_wall_clock_time=hour,
            max_task_retry_count=1,
        )
        yield TaskBody(task_id, encode(body))


async def ready(tasks: Sequence[TaskBody]) -> AsyncIterator[TaskBody | None]:
    """Tasks that were built before."""
    for task in tasks:
        yield task


async def ours(batch: BatchAccount, limits: Limits, built: Sequence[TaskBody] | None = None) -> None:
    """Our stage; it builds the tasks too, unless they were built before."""

    async def publish(*events: Event) -> None:
        pass

    tasks = bodies(TASKS) if built is None else ready(built)
    submission = TaskSubmission(
        run_id="r", job_id="j", tasks=tasks, batch=batch, publish=publish, limits=limits
    )
    await submission.run()
    assert (submission.accepted, submission.rejected) == (TASKS, 0)


def model(number: int) -> m.BatchTaskCreateOptions:
    """The same task as the SDK's documentation builds it."""
    return m.BatchTaskCreateOptions(
        id=f"task-{number:07}",
        command_line=command(number),
        resource_files=[m.ResourceFile(http_url=READ_URL, file_path=f"input-{number}.txt")],
        output_files=[
            m.OutputFile(
                file_pattern="*.out",
                destination=m.OutputFileDestination(
                    container=m.OutputFileBlobContainerDestination(
                        container_url=WRITE_URL, path=f"task-{number:07}"
                    )
                ),
                upload_options=m.OutputFileUploadConfiguration(
                    upload_condition=m.OutputFileUploadCondition.TASK_COMPLETION
                ),
            )
        ],
        environment_settings=[
            m.EnvironmentSetting(name="INDEX", value=str(number)),
            m.EnvironmentSetting(name="MODE", value="count"),
        ],
        constraints=m.BatchTaskConstraints(max_wall_clock_time=timedelta(hours=1), max_task_retry_count=1),
        required_slots=1,
    )


async def peer(
    client: BatchClient, concurrency: int, built: Sequence[m.BatchTaskCreateOptions] | None = None
) -> None:
    """The SDK's own bulk method; the models are built too, unless they were built before."""
    # It consumes the list that it is given.
    tasks = [model(number) for number in range(TASKS)] if built is None else list(built)
    added = await client.create_tasks("j", tasks, max_concurrency=concurrency)
    assert len(added.result_values or []) == TASKS


async def limit(session: aiohttp.ClientSession, address: str, concurrency: int) -> None:
    """Nothing but dictionaries, json and aiohttp: no signature, no order, no retry, no fate told."""
    chunks = iter(range(0, TASKS, CHUNK))

    async def work() -> None:
        for first in chunks:
            body = json.dumps({"value": [plain(number) for number in range(first, first + CHUNK)]})
            async with session.post(
                f"{address}/jobs/j/addtaskcollection?api-version=2025-06-01", data=body.encode()
            ) as answer:
                told = json.loads(await answer.read())
                assert all(result["status"] == "Success" for result in told["value"])

    await asyncio.gather(*(work() for _ in range(concurrency)))


async def compare(delay: float, rounds: int) -> tuple[float, float, float, str]:
    """Tasks a second of ours, of the peer at its best, of the limit at its best; and the CPU of each."""
    with stub(delay=delay) as address:
        account = Account(settings(address), Limits())
        await account.open()
        credential = AzureNamedKeyCredential("acc", KEY)
        async with (
            BatchClient(address, credential) as client,
            aiohttp.ClientSession() as session,
        ):
            taken = await in_turns(
                {
                    "ours": partial(ours, account.batch, Limits()),
                    **{f"limit {n}": partial(limit, session, address, n) for n in LIMITS},
                    **{f"peer {n}": partial(peer, client, n) for n in PEERS},
                },
                rounds,
            )
        await account.close()
    best = {
        kind: min((name for name in taken if name.startswith(kind)), key=lambda name: taken[name].wall)
        for kind in ("peer", "limit")
    }
    told = ", ".join(
        f"{name} {taken[name].cpu / TASKS * 1e6:.0f} us" for name in ("ours", best["peer"], best["limit"])
    )
    rates = [TASKS / taken[name].wall for name in ("ours", best["peer"], best["limit"])]
    return rates[0], rates[1], rates[2], f"CPU a task: {told} (with the best concurrency)"


async def prebuilt(delay: float, rounds: int) -> Row:
    """The same with everything built before: models there, bytes here."""
    models = [model(number) for number in range(TASKS)]
    built = [task async for task in bodies(TASKS) if task is not None]
    with stub(delay=delay) as address:
        account = Account(settings(address), Limits())
        await account.open()
        async with BatchClient(address, AzureNamedKeyCredential("acc", KEY)) as client:
            taken = await in_turns(
                {
                    "ours": partial(ours, account.batch, Limits(), built),
                    **{f"peer {n}": partial(peer, client, n, models) for n in PEERS},
                },
                rounds,
            )
        await account.close()
    best = min((name for name in taken if name.startswith("peer")), key=lambda name: taken[name].wall)
    mine, theirs = (TASKS / taken[name].wall for name in ("ours", best))
    told = ", ".join(f"{name} {taken[name].cpu / TASKS * 1e6:.0f} us" for name in ("ours", best))
    return Row(
        what=f"submit, {delay * 1000:.0f} ms a request, built before",
        unit="tasks/s",
        ours=mine,
        peer=theirs,
        target=f"{PREBUILT_TIMES:g} x peer",
        reached=mine >= PREBUILT_TIMES * theirs,
        note=f"CPU a task: {told}",
    )


async def faults(rounds: int) -> Row:
    """The same against a service of which every twentieth answer is a refusal or none."""
    seen: dict[str, object] = {}
    with stub() as clean, stub(faults=0.05) as faulty:
        accounts = {}
        for address in (clean, faulty):
            accounts[address] = Account(settings(address), Limits())
            await accounts[address].open()

        async def run(address: str) -> None:
            await reset(address)
            await ours(accounts[address].batch, Limits())
            told = await stats(address)
            assert (told["accepted"], told["twice"]) == (TASKS, 0), told
            seen[address] = told

        taken = await in_turns({"clean": partial(run, clean), "faulty": partial(run, faulty)}, rounds)
        for account in accounts.values():
            await account.close()
    factor = taken["faulty"].wall / taken["clean"].wall
    return Row(
        what="submit under 5 % of 429, 503 and resets",
        unit="x the clean time",
        ours=factor,
        target="every task once; <= 1.5",
        reached=factor <= 1.5,
        note=f"{TASKS / taken['faulty'].wall:,.0f} tasks/s; the service saw {seen[faulty]}",
    )


async def measure(rounds: int) -> list[Row]:
    """All rows of this file."""
    rows = []
    for delay, floor in ((0.0, 0.5), (0.05, 0.0)):
        mine, theirs, least, note = await compare(delay, rounds)
        reached = mine >= 6 * theirs and mine >= floor * least
        rows.append(
            Row(
                what=f"submit, {delay * 1000:.0f} ms a request",
                unit="tasks/s",
                ours=mine,
                peer=theirs,
                limit=least,
                target="6 x peer" + (f"; {floor} of limit" if floor else ""),
                reached=reached,
                note=note,
            )
        )
    rows.append(await prebuilt(0.05, rounds))
    rows.append(await faults(rounds))
    return rows
