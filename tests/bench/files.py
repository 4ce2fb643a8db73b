"""Rows `upload` and `download`: many small files, and a large one, to Azurite and back."""

from __future__ import annotations

import asyncio
import hashlib
import os
import signal
import tempfile
from base64 import b64encode
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import aiohttp
import anyio
from azure.storage.blob import BlobServiceClient, ContainerSasPermissions, generate_container_sas
from yarl import URL

from orchestrator.accounts import Account, StorageAccount, settings_from_environment
from orchestrator.accounts.upload import version_of
from orchestrator.events import Event, OutputsDownloaded, TaskSucceeded
from orchestrator.handlers.download import DownloadHandler
from orchestrator.handlers.expectations import TaskOutputs
from orchestrator.limits import Limits
from orchestrator.spec import JobSpec, PoolSpec, TaskFactory
from orchestrator.spec.plan import RunPlan, plan_run
from orchestrator.stages.staging import Arrival, Staging, StagingPlaces
from orchestrator.states import TaskKey, TaskState
from tests.acceptance.program import Running
from tests.bench.row import Row, Taken, in_turns

FILES = 2_000
SIZE = 4096
TASKS = 200
LARGE = 256
"""MiB of the one large file."""

_OUTPUTS = tuple(f"{number}.bin" for number in range(FILES // TASKS - 2))
_LEFT = ("stdout.txt", "stderr.txt", *_OUTPUTS)
"""What each task leaves: its logs, and what its job file names."""
_AT_ONCE = 8
_PART = 4 << 20
_PARTS_AT_ONCE = 4


class Places:
    """Names that were not used yet: containers, and folders below one."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._count = 0

    def container(self) -> str:
        self._count += 1
        return f"bench-{self._count}"

    def folder(self) -> Path:
        self._count += 1
        made = self._folder / f"results-{self._count}"
        made.mkdir()
        return made


class Ways:
    """Every way there is, on one storage account."""

    def __init__(self, account: Account, secret: str, session: aiohttp.ClientSession, folder: Path) -> None:
        self.storage: StorageAccount = account.storage
        self.sdk = BlobServiceClient.from_connection_string(secret)
        self.session = session
        self.places = Places(folder)
        self._inputs = folder / "inputs"
        self._inputs.mkdir()
        for number in range(FILES):
            (self._inputs / f"{number:04}.bin").write_bytes(os.urandom(SIZE))
        self.files = sorted(self._inputs.iterdir())
        self.large = folder / "large.bin"
        with self.large.open("wb") as file:
            for _ in range(LARGE):
                file.write(os.urandom(1 << 20))
        job = JobSpec(
            id="bench",
            base_dir=str(self._inputs),
            pool=PoolSpec(id="bench"),
            task_factory=TaskFactory(per_file="*.bin", command_line="true"),
        )
        self.plan: RunPlan = plan_run(job, "bench")

    def address(self, container: str) -> tuple[str, str]:
        """Of a container, and the query that opens it."""
        query = generate_container_sas(
            str(self.sdk.account_name),
            container,
            account_key=self.sdk.credential.account_key,
            permission=ContainerSasPermissions(read=True, create=True, write=True),
            expiry=datetime.now(UTC) + timedelta(hours=1),
        )
        return self.sdk.get_container_client(container).url, query

    # --- up -----------------------------------------------------------------------------------------------

    async def ours_up(self) -> None:
        """Our stage: hashed, told apart by content, uploaded, told of."""
        places = StagingPlaces(
            input_container=self.places.container(),
            output_container=self.places.container(),
            application=None,
        )
        staging = Staging(
            plan=self.plan, places=places, storage=self.storage, publish=ignored, limits=Limits()
        )
        await self.storage.create_container(places.input_container)
        send, receive = anyio.create_memory_object_stream[Arrival](100)
        arrived = 0
        async with anyio.create_task_group() as group:
            group.start_soon(partial(staging.bring_inputs, range(FILES), send))
            async with receive:
                async for _ in receive:
                    arrived += 1
        assert arrived == FILES

    async def peer_up(self) -> None:
        """The tutorial's way: one after the other."""
        client = self.sdk.create_container(self.places.container())
        for file in self.files:
            with file.open("rb") as data:
                client.get_blob_client(file.name).upload_blob(data, overwrite=True)

    async def limit_up(self) -> None:
        """Nothing but aiohttp and MD5, several at once."""
        container = self.places.container()
        self.sdk.create_container(container)
        base, query = self.address(container)
        files = iter(self.files)

        async def work() -> None:
            for file in files:
                data = file.read_bytes()
                await self._put(f"{base}/{file.name}?{query}", data, {"x-ms-blob-type": "BlockBlob"})

        await _several(_AT_ONCE, work)

    async def _put(self, url: str, data: bytes, headers: dict[str, str]) -> None:
        md5 = b64encode(hashlib.md5(data).digest()).decode()
        told = {"x-ms-version": "2023-11-03", "Content-MD5": md5, **headers}
        async with self.session.put(URL(url, encoded=True), data=data, headers=told) as answer:
            assert answer.status == 201, await answer.text()

    # --- back ---------------------------------------------------------------------------------------------

    async def fill(self, container: str) -> None:
        """Put the files where tasks would have put them: ten of each."""
        await self.storage.create_container(container)
        numbered = iter(enumerate(self.files))

        async def work() -> None:
            for number, file in numbered:
                await self.storage.upload_bytes(container, _name(number), file.read_bytes())

        await _several(_AT_ONCE, work)

    async def ours_back(self, container: str, names: tuple[str, ...] | None) -> None:
        """Our handler: known by name or listed by task, checked, written beside, renamed, told of."""
        ended = 0

        async def publish(*events: Event) -> None:
            nonlocal ended
            for event in events:
                if isinstance(event, OutputsDownloaded):
                    assert not event.missing, event
                    ended += 1

        def start(work: Callable[[], Awaitable[None]], _: str) -> None:
            async def run() -> None:
                await work()

            group.start_soon(run)

        async with anyio.create_task_group() as group:
            handler = DownloadHandler(
                publish,
                storage=self.storage,
                output_container=container,
                download_dir=self.places.folder(),
                job_id="bench",
                limits=Limits(),
                expectations=lambda _: TaskOutputs(names=names),
                start=start,
            )
            for number in range(TASKS):
                await handler.handle(
                    TaskSucceeded(
                        run_id="r",
                        key=TaskKey("bench", f"t{number:03}"),
                        previous=TaskState.RUNNING,
                        state=TaskState.COMPLETED,
                        exit_code=0,
                    )
                )
            await handler.idle()
            await handler.aclose()
        assert ended == TASKS

    async def peer_back(self, container: str) -> None:
        """The tutorial's way: one after the other, neither checked nor renamed."""
        client, folder = self.sdk.get_container_client(container), self.places.folder()
        for blob in client.list_blobs():
            target = folder / blob.name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(client.download_blob(blob.name).readall())

    async def limit_back(self, container: str) -> None:
        """Nothing but aiohttp, of names that are known; checked, written beside and renamed."""
        base, query = self.address(container)
        folder, numbers = self.places.folder(), iter(range(FILES))

        async def work() -> None:
            for number in numbers:
                url = URL(f"{base}/{_name(number)}?{query}", encoded=True)
                async with self.session.get(url, headers={"x-ms-version": "2023-11-03"}) as answer:
                    data = await answer.read()
                    md5 = b64encode(hashlib.md5(data).digest()).decode()
                    assert answer.headers["Content-MD5"] == md5
                target = folder / _name(number)
                target.parent.mkdir(exist_ok=True)
                beside = target.with_suffix(".part")
                beside.write_bytes(data)
                beside.rename(target)

        await _several(_AT_ONCE, work)

    # --- one large file -----------------------------------------------------------------------------------

    async def ours_large(self, container: str) -> None:
        """Our way: read once, its MD5 made on the way."""
        version = version_of(self.large.stat())
        await self.storage.upload_file(container, "large", self.large, md5=None, version=version)

    async def peer_large(self, container: str) -> None:
        """The SDK as its documentation uses it."""
        with self.large.open("rb") as data:
            self.sdk.get_blob_client(container, "large").upload_blob(data, overwrite=True)

    async def limit_large(self, container: str) -> None:
        """Nothing but aiohttp doing Put Block with MD5, several at once."""
        base, query = self.address(container)
        ids = [b64encode(b"%08d" % number).decode() for number in range(LARGE * (1 << 20) // _PART)]
        waiting = iter(ids)
        with self.large.open("rb") as file:

            async def work() -> None:
                for block_id in waiting:
                    data = await asyncio.to_thread(file.read, _PART)
                    quoted = block_id.replace("=", "%3D")
                    await self._put_block(f"{base}/large?comp=block&blockid={quoted}&{query}", data)

            await _several(_PARTS_AT_ONCE, work)
        listed = "".join(f"<Latest>{block_id}</Latest>" for block_id in ids)
        await self._put(
            f"{base}/large?comp=blocklist&{query}", f"<BlockList>{listed}</BlockList>".encode(), {}
        )

    async def _put_block(self, url: str, data: bytes) -> None:
        md5 = b64encode((await asyncio.to_thread(hashlib.md5, data)).digest()).decode()
        headers = {"x-ms-version": "2023-11-03", "Content-MD5": md5, "Content-Length": str(len(data))}

        async def body() -> AsyncIterator[bytes]:
            for offset in range(0, len(data), 1 << 18):
                yield data[offset : offset + (1 << 18)]

        async with self.session.put(URL(url, encoded=True), data=body(), headers=headers) as answer:
            assert answer.status == 201, await answer.text()


def _name(number: int) -> str:
    return f"t{number % TASKS:03}/{_LEFT[number // TASKS]}"


async def ignored(*events: Event) -> None:
    """Stands for the bus."""


async def _several(count: int, work: Callable[[], Awaitable[None]]) -> None:
    await asyncio.gather(*(work() for _ in range(count)))


@asynccontextmanager
async def opened(folder: Path) -> AsyncIterator[Ways]:
    """All ways, on a service in a process of its own."""
    for env_file in _service(folder):
        environment = dict(line.split("=", 1) for line in env_file.read_text().splitlines())
        account = Account(settings_from_environment(environment), Limits())
        await account.open()
        async with aiohttp.ClientSession() as session:
            yield Ways(account, environment["AZURE_STORAGE_CONNECTION_STRING"], session, folder)
        await account.close()


def _service(folder: Path) -> Iterator[Path]:
    env_file = folder / "settings.env"
    with Running("local", "--state-dir", folder / "state", "--env-file", env_file, home=folder) as service:
        if service.line() != "ready":
            raise AssertionError(f"no service: {service.end()}")
        yield env_file
        service.signal(signal.SIGTERM)
        service.end()


async def measure(rounds: int) -> list[Row]:
    """All rows of this file."""
    with tempfile.TemporaryDirectory() as name:
        async with opened(Path(name)) as ways:
            up = await in_turns({"ours": ways.ours_up, "limit": ways.limit_up, "peer": ways.peer_up}, rounds)
            # Azurite looks through all blobs of an account for each list; a run meets its own only.
            for used in list(ways.sdk.list_containers()):
                await ways.storage.delete_container(used.name)
            outputs = ways.places.container()
            await ways.fill(outputs)
            back = await in_turns(
                {
                    "ours": partial(ways.ours_back, outputs, _OUTPUTS),
                    "limit": partial(ways.limit_back, outputs),
                    "peer": partial(ways.peer_back, outputs),
                },
                rounds,
            )
            place = ways.places.container()
            await ways.storage.create_container(place)
            large = await in_turns(
                {
                    "ours": partial(ways.ours_large, place),
                    "limit": partial(ways.limit_large, place),
                    "peer": partial(ways.peer_large, place),
                },
                rounds,
            )
    small = f"{FILES:,} files of {SIZE >> 10} KiB"
    return [
        _row(f"upload, {small}", "files/s", FILES, up, 3.0),
        _row(f"download, {small}", "files/s", FILES, back, None),
        _row(f"upload, one of {LARGE} MiB", "MiB/s", LARGE, large, None),
    ]


def _row(what: str, unit: str, amount: int, taken: dict[str, Taken], times: float | None) -> Row:
    rates = {name: amount / one.wall for name, one in taken.items()}
    reached = rates["ours"] >= 0.8 * rates["limit"] and (
        times is None or rates["ours"] >= times * rates["peer"]
    )
    each = ", ".join(f"{name} {one.cpu / amount * 1e3:.2f} ms" for name, one in taken.items())
    return Row(
        what=what,
        unit=unit,
        ours=rates["ours"],
        peer=rates["peer"],
        limit=rates["limit"],
        target=(f"{times:g} x peer; " if times else "") + "0.8 of limit",
        reached=reached,
        note=f"CPU of this process for each {unit.removesuffix('/s').removesuffix('s')}: {each}",
    )
