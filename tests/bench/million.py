"""Rows `million`: the local service with 1,000,000 tasks in it, beside itself with few, in turns."""

from __future__ import annotations

import asyncio
import os
import statistics
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from http import HTTPStatus
from urllib.parse import quote

import aiohttp
import anyio
import msgspec

from tests.bench.local_endpoint import Running, running
from tests.bench.row import Row
from tests.bench.starting import Service, bare, folder_in_memory
from tests.bench.tasks import plain
from tests.conformance.clients import RawClient, job_body, pool_body

MANY = 1_000_000
FEW = 1_000
ADDED = 20_000
CHANGED = 100
SLOTS = 8
LOOKS = 15
SPAWN_ROUNDS = 5
TARGET_RATE = 15_000
MOST_MEMORY = 1.5e9
_COLLECTION = 100
_AT_ONCE = 8
_LIMIT = 900.0
_SIMULATED = {"name": "orchestrator:simulated", "value": "true"}


def collections(count: int, *, slim: bool) -> list[bytes]:
    """Bodies of requests that add so many tasks: of an id and a command, or as jobs of ours have them."""
    tasks = (
        ({"id": f"task-{number:07}", "commandLine": "simulate"} if slim else plain(number))
        for number in range(count)
    )
    encoded = [msgspec.json.encode(task) for task in tasks]
    return [
        b'{"value":[' + b",".join(encoded[first : first + _COLLECTION]) + b"]}"
        for first in range(0, count, _COLLECTION)
    ]


class Adding:
    """A client that adds tasks and does nothing else."""

    def __init__(self, client: RawClient) -> None:
        self._client = client
        self._turn = 0

    async def fill(self, job: str, bodies: list[bytes]) -> float:
        """Add tasks to a job; gives tasks a second."""
        waiting = iter(bodies)

        async def work() -> None:
            for body in waiting:
                answer = await self._client.send("POST", f"/jobs/{job}/addtaskcollection", body)
                assert answer.body.count(b'"status":"Success"') == _COLLECTION, answer.body[:500]

        began = time.perf_counter()
        await asyncio.gather(*(work() for _ in range(_AT_ONCE)))
        return len(bodies) * _COLLECTION / (time.perf_counter() - began)

    async def rate(self, bodies: list[bytes]) -> float:
        """Add tasks to a job of their own, that goes afterwards; gives tasks a second."""
        self._turn += 1
        job = f"adding-{self._turn}"
        await self._client.post("/jobs", job_body(job, "nowhere"))
        found = await self.fill(job, bodies)
        await self._client.send("DELETE", f"/jobs/{job}")
        await self._client.gone(f"/jobs/{job}")
        return found


@asynccontextmanager
async def client_of(service: Running) -> AsyncIterator[RawClient]:
    """A client that waits as long as it takes."""
    timeout = aiohttp.ClientTimeout(total=_LIMIT)
    async with aiohttp.ClientSession(timeout=timeout) as session:
        yield RawClient(session, service.url)


async def change(client: RawClient, job: str, size: int) -> str:
    """End some of a job's tasks, all over it; gives the time from which on they changed."""
    since = datetime.now(UTC)
    for number in range(0, size, size // CHANGED):
        await client.post(f"/jobs/{job}/tasks/task-{number:07}/terminate")
    return f"{since:%Y-%m-%dT%H:%M:%S.%f}Z"


async def look(client: RawClient, job: str, wanted: str, count: int) -> float:
    """Read one page; gives its milliseconds."""
    began = time.perf_counter()
    page = await client.get(f"/jobs/{job}/tasks", f"$filter={quote(wanted)}&maxresults=1000")
    assert len(page["value"]) == count, (job, wanted, len(page["value"]))
    return (time.perf_counter() - began) * 1000


async def listing(client: RawClient) -> list[Row]:
    """A page by each kind of filter, in turns of a small job and a large one."""
    since = {"few": await change(client, "few", FEW), "many": await change(client, "many", MANY)}
    kinds = {
        "state eq 'completed'": ("state eq 'completed'", CHANGED),
        "stateTransitionTime ge": ("stateTransitionTime ge DateTime'{}'", CHANGED),
        "both": ("state eq 'completed' and stateTransitionTime ge DateTime'{}'", CHANGED),
        "a full page of active": ("state eq 'active'", FEW - CHANGED),
    }
    rows = []
    for name, (wanted, count) in kinds.items():
        taken: dict[str, list[float]] = {"few": [], "many": []}
        for _ in range(LOOKS):
            for job, seen in taken.items():
                found = FEW if count != CHANGED and job == "many" else count
                seen.append(await look(client, job, wanted.format(since[job]), found))
        few, many = (statistics.median(taken[job]) for job in ("few", "many"))
        rows.append(
            Row(
                what=f"a page, {name}: job of {MANY:,}",
                unit="ms",
                ours=many,
                limit=few,
                target="<= 2 x a job of 1,000",
                reached=many <= 2 * few,
                note=f"{count} tasks found; the limit is the job of {FEW:,}; medians of {LOOKS}",
            )
        )
    return rows


async def spawning(client: RawClient, rounds: int, *, who: str = "", least_share: float = 0.4) -> Row:
    """`/bin/true` as tasks while all the others are stored."""
    await client.post("/pools", pool_body(targetDedicatedNodes=1, taskSlotsPerNode=SLOTS))
    await client.nodes_in("idle", 1)
    service = Service(client)
    await service.rate()  # what the first adding left behind is tidied up meanwhile
    ours, least = [], []
    for _ in range(max(rounds, SPAWN_ROUNDS)):
        least.append(await asyncio.to_thread(bare))
        ours.append(await service.rate())
    share = statistics.median(one / other for one, other in zip(ours, least, strict=True))
    return Row(
        what=f"/bin/true, {SLOTS} slots, {MANY:,} stored{who}",
        unit="tasks/s",
        ours=statistics.median(ours),
        limit=statistics.median(least),
        target=f">= {least_share} x bare posix_spawn",
        reached=share >= least_share,
        note=f"whole endpoint, its journal included; the median of the ratios in each turn: {share:.2f}",
    )


async def deleting(client: RawClient) -> Row:
    """What others wait for while the large job is deleted."""
    began = time.perf_counter()
    await client.send("DELETE", "/jobs/many")
    waits: list[float] = []
    while (await client.send("GET", "/jobs/many")).status != HTTPStatus.NOT_FOUND:
        asked = time.perf_counter()
        await client.post("/jobs", job_body(f"meanwhile-{len(waits)}", "nowhere"))
        waits.append((time.perf_counter() - asked) * 1000)
        await anyio.sleep(0.01)
    seconds = time.perf_counter() - began
    return Row(
        what=f"adding a job while one of {MANY:,} is deleted, p99",
        unit="ms",
        ours=statistics.quantiles(waits, n=100)[98],
        note=f"{len(waits)} jobs, the longest waited {max(waits):.0f} ms; deleted in {seconds:.1f} s",
    )


def added_row(what: str, rates: list[float], note: str) -> Row:
    """How fast tasks were added."""
    rate = statistics.median(rates)
    return Row(
        what=f"adding, {what}",
        unit="tasks/s",
        ours=rate,
        target=">= 15,000",
        reached=rate >= TARGET_RATE,
        note=note,
    )


async def kept(rounds: int) -> list[Row]:
    """Rows of a service with a state file."""
    slim, full = collections(ADDED, slim=True), collections(ADDED, slim=False)
    rows = []
    with folder_in_memory() as folder, running(folder, kept=True) as service:
        async with client_of(service) as client:
            adding = Adding(client)
            note = f"{ADDED:,} tasks of an id and a command, in a state file"
            rich = f"{ADDED:,} tasks with files, settings and limits, in a state file"
            rows.append(added_row("kept", [await adding.rate(slim) for _ in range(rounds)], note))
            rows.append(added_row("kept, rich ones", [await adding.rate(full) for _ in range(rounds)], rich))
            for job, size in (("few", FEW), ("many", MANY)):
                await client.post("/jobs", job_body(job, "nowhere"))
                rate = await adding.fill(job, collections(size, slim=True))
            rows.append(added_row(f"kept, {MANY:,} on end", [rate], "from an empty service to the last"))
            stored = [await adding.rate(slim) for _ in range(rounds)]
            rows.append(added_row(f"kept, {MANY:,} stored", stored, note))
            stored = [await adding.rate(full) for _ in range(rounds)]
            rows.append(added_row(f"kept, {MANY:,} stored, rich ones", stored, rich))
            rows += await listing(client)
            rows.append(await spawning(client, rounds))
            rows.append(await deleting(client))
            print(f"  memory of the kept service: {service.most_memory() / 1e6:,.0f} MB at most")
    return rows


async def isolated(rounds: int) -> list[Row]:
    """The row of tasks that run as users of their own, which only root can give them."""
    if os.geteuid() != 0:
        return []
    with folder_in_memory() as folder, running(folder, kept=True, isolate_users=True) as service:
        async with client_of(service) as client:
            await client.post("/jobs", job_body("many", "nowhere"))
            await Adding(client).fill("many", collections(MANY, slim=True))
            return [await spawning(client, rounds, who=", users of their own", least_share=0.2)]


async def simulated() -> list[Row]:
    """Rows of a service that keeps nothing, whose tasks only pretend to run."""
    with folder_in_memory() as folder, running(folder, kept=False) as service:
        async with client_of(service) as client:
            pool = pool_body(targetDedicatedNodes=8, taskSlotsPerNode=SLOTS, metadata=[_SIMULATED])
            await client.post("/pools", pool)
            await client.nodes_in("idle", 8)
            await client.post("/jobs", job_body("many"))
            began = time.perf_counter()
            await Adding(client).fill("many", collections(MANY, slim=True))
            with anyio.fail_after(_LIMIT):
                while await _completed(client) < MANY:  # noqa: ASYNC110  # a service has no event to wait for
                    await anyio.sleep(0.2)
            seconds = time.perf_counter() - began
            memory = service.most_memory()
    return [
        Row(
            what=f"{MANY:,} simulated tasks, memory",
            unit="MB",
            ours=memory / 1e6,
            target="< 1,500",
            reached=memory < MOST_MEMORY,
            note=f"added and run in {seconds:.0f} s, {MANY / seconds:,.0f} tasks/s",
        )
    ]


async def _completed(client: RawClient) -> int:
    counts = await client.get("/jobs/many/taskcounts")
    return int(counts["taskCounts"]["completed"])


async def measure(rounds: int) -> list[Row]:
    """All rows of this file."""
    return [*await kept(rounds), *await isolated(rounds), *await simulated()]
