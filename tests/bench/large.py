"""Rows `large`: one file of a gibibyte, and as much in eight, to Azurite and back, and the memory of it."""

from __future__ import annotations

import asyncio
import gc
import hashlib
import os
import shutil
import tempfile
import threading
from base64 import b64encode
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import TypeAlias

import anyio
from yarl import URL

from orchestrator.events import Event, OutputsDownloaded, TaskSucceeded
from orchestrator.handlers.download import DownloadHandler
from orchestrator.handlers.expectations import TaskOutputs
from orchestrator.limits import Limits
from orchestrator.spec import JobSpec, PoolSpec, TaskFactory
from orchestrator.spec.plan import RunPlan, plan_run
from orchestrator.stages.staging import Arrival, Staging, StagingPlaces
from orchestrator.states import TaskKey, TaskState
from tests.bench.files import Ways, ignored, opened
from tests.bench.row import Row, Taken, in_turns

WHOLE = 1 << 30
SHARES = (1, 8)
"""Into how many files the whole is cut."""
MEMORY = 100 << 20
_MIB = 1 << 20
_PART = 4 * _MIB
_AT_ONCE = 4
Way: TypeAlias = Callable[[], Awaitable[None]]
_PAGE = os.sysconf("SC_PAGE_SIZE")


class Large:
    """Every way for so many files that make a gibibyte together."""

    def __init__(self, ways: Ways, folder: Path, count: int) -> None:
        self._ways = ways
        self._folder = folder / f"of-{count}"
        self._folder.mkdir()
        self._size = WHOLE // count
        self.paths = [self._folder / f"{number}.bin" for number in range(count)]
        for path in self.paths:
            with path.open("wb") as file:
                for _ in range(self._size // _MIB):
                    file.write(os.urandom(_MIB))
        job = JobSpec(
            id="large",
            base_dir=str(self._folder),
            pool=PoolSpec(id="large"),
            task_factory=TaskFactory(per_file="*.bin", command_line="true"),
        )
        self._plan: RunPlan = plan_run(job, "large")
        self.filled = ways.places.container()

    async def open(self) -> None:
        """Put the files where a task would have put them; not measured."""
        await self._ways.storage.create_container(self.filled)
        for path in self.paths:
            md5 = await asyncio.to_thread(_md5_of, path)
            await self._ways.storage.upload_file(self.filled, f"t/{path.name}", path, md5=md5)

    async def ours_up(self) -> None:
        """Our stage: hashed, told apart by content, uploaded, told of."""
        container = self._ways.places.container()
        places = StagingPlaces(input_container=container, output_container=container, application=None)
        staging = Staging(
            plan=self._plan, places=places, storage=self._ways.storage, publish=ignored, limits=Limits()
        )
        await self._ways.storage.create_container(container)
        send, receive = anyio.create_memory_object_stream[Arrival](100)
        arrived = 0
        async with anyio.create_task_group() as group:
            group.start_soon(partial(staging.bring_inputs, range(len(self.paths)), send))
            async with receive:
                async for _ in receive:
                    arrived += 1
        assert arrived == len(self.paths)
        await self._ways.storage.delete_container(container)

    async def limit_up(self) -> None:
        """Nothing but aiohttp doing Put Block with MD5, four in flight."""
        container = self._ways.places.container()
        await self._ways.storage.create_container(container)
        base, query = self._ways.address(container)
        ids = [b64encode(b"%08d" % number).decode() for number in range(self._size // _PART)]
        waiting = iter([(path, number, block) for path in self.paths for number, block in enumerate(ids)])

        async def work() -> None:
            for path, number, block in waiting:
                data, md5 = await asyncio.to_thread(_part_of, path, number)
                url = f"{base}/{path.name}?comp=block&blockid={block.replace('=', '%3D')}&{query}"
                await self._put(url, data, md5)

        await asyncio.gather(*(work() for _ in range(_AT_ONCE)))
        listed = "".join(f"<Latest>{block}</Latest>" for block in ids)
        body = f"<BlockList>{listed}</BlockList>".encode()
        for path in self.paths:
            await self._put(f"{base}/{path.name}?comp=blocklist&{query}", body, hashlib.md5(body).digest())
        await self._ways.storage.delete_container(container)

    async def _put(self, url: str, data: bytes, md5: bytes) -> None:
        headers = {
            "x-ms-version": "2023-11-03",
            "Content-MD5": b64encode(md5).decode(),
            "Content-Length": str(len(data)),
        }

        async def body() -> AsyncIterator[bytes]:
            for offset in range(0, len(data), 1 << 18):
                yield data[offset : offset + (1 << 18)]

        session = self._ways.session
        async with session.put(URL(url, encoded=True), data=body(), headers=headers) as answer:
            assert answer.status == 201, await answer.text()

    async def ours_back(self) -> None:
        """Our handler: checked, written beside, renamed, told of."""
        folder, told = self._ways.places.folder(), list[OutputsDownloaded]()

        async def publish(*events: Event) -> None:
            told.extend(event for event in events if isinstance(event, OutputsDownloaded))

        def start(work: Callable[[], Awaitable[None]], _: str) -> None:
            async def run() -> None:
                await work()

            group.start_soon(run)

        names = tuple(path.name for path in self.paths)
        async with anyio.create_task_group() as group:
            handler = DownloadHandler(
                publish,
                storage=self._ways.storage,
                output_container=self.filled,
                download_dir=folder,
                job_id="large",
                limits=Limits(),
                expectations=lambda _: TaskOutputs(names=names),
                start=start,
            )
            await handler.handle(
                TaskSucceeded(
                    run_id="r",
                    key=TaskKey("large", "t"),
                    previous=TaskState.RUNNING,
                    state=TaskState.COMPLETED,
                    exit_code=0,
                )
            )
            await handler.idle()
            await handler.aclose()
        assert [len(end.outputs) for end in told] == [len(self.paths)], told
        await asyncio.to_thread(shutil.rmtree, folder)

    async def limit_back(self) -> None:
        """Nothing but aiohttp, MD5, a name beside and the name."""
        base, query = self._ways.address(self.filled)
        folder, waiting = self._ways.places.folder(), iter(self.paths)

        async def work() -> None:
            for path in waiting:
                url = URL(f"{base}/t/{path.name}?{query}", encoded=True)
                beside, md5 = folder / f"{path.name}.part", hashlib.md5()
                with beside.open("wb") as file:
                    async with self._ways.session.get(url, headers={"x-ms-version": "2023-11-03"}) as answer:
                        told = answer.headers["Content-MD5"]
                        async for piece in answer.content.iter_chunked(_MIB):
                            await asyncio.to_thread(_take, piece, md5, file.write)
                assert b64encode(md5.digest()).decode() == told
                beside.rename(folder / path.name)

        await asyncio.gather(*(work() for _ in range(_AT_ONCE)))
        await asyncio.to_thread(shutil.rmtree, folder)


def _take(piece: bytes, md5: hashlib._Hash, write: Callable[[bytes], int]) -> None:
    md5.update(piece)
    write(piece)


def _part_of(path: Path, number: int) -> tuple[bytes, bytes]:
    with path.open("rb") as file:
        file.seek(number * _PART)
        data = file.read(_PART)
    return data, hashlib.md5(data).digest()


def _md5_of(path: Path) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "md5").digest()


class Peak:
    """The most memory that this process had while it was looked at."""

    def __init__(self) -> None:
        self.most = 0

    async def during(self, way: Way) -> None:
        """Look at it while something is done."""
        over = threading.Event()

        def look() -> None:
            while not over.wait(0.02):
                self.most = max(self.most, resident())

        watcher = threading.Thread(target=look)
        watcher.start()
        try:
            await way()
        finally:
            over.set()
            watcher.join()


def resident() -> int:
    """The memory of this process that is there in fact, in bytes."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE


async def measure(rounds: int) -> list[Row]:
    """All rows of this file."""
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        async with opened(folder) as ways:
            for count in SHARES:
                large = Large(ways, folder, count)
                gc.collect()
                idle, up, back = resident(), Peak(), Peak()
                files = f"{count} of {WHOLE // count // _MIB} MiB"
                ways_up: dict[str, Way] = {"ours": partial(up.during, large.ours_up), "limit": large.limit_up}
                rows.append(_row(f"upload, {files}", await in_turns(ways_up, rounds)))
                rows.append(_memory(f"upload, {files}", up.most - idle))
                await large.open()
                ways_back: dict[str, Way] = {
                    "ours": partial(back.during, large.ours_back),
                    "limit": large.limit_back,
                }
                rows.append(_row(f"download, {files}", await in_turns(ways_back, rounds)))
                rows.append(_memory(f"download, {files}", back.most - idle))
                await ways.storage.delete_container(large.filled)
    return rows


def _row(what: str, taken: dict[str, Taken]) -> Row:
    rates = {name: WHOLE / _MIB / one.wall for name, one in taken.items()}
    each = ", ".join(f"{name} {one.cpu / (WHOLE / _MIB) * 1e3:.2f} ms" for name, one in taken.items())
    return Row(
        what=what,
        unit="MiB/s",
        ours=rates["ours"],
        limit=rates["limit"],
        target="0.8 of limit",
        reached=rates["ours"] >= 0.8 * rates["limit"],
        note=f"CPU of this process for each MiB: {each}",
    )


def _memory(what: str, above: int) -> Row:
    return Row(
        what=f"{what}: memory above idle",
        unit="MiB",
        ours=above / _MIB,
        target=f"under {MEMORY // _MIB}",
        reached=above < MEMORY,
    )
