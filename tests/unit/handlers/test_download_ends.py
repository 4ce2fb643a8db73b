"""Downloads end, all of them, whatever happens to them."""

from __future__ import annotations

from pathlib import Path

import anyio
import pytest

from orchestrator.bus import EventBus, Policy
from orchestrator.events import (
    OutputDownloaded,
    OutputsDownloaded,
)
from orchestrator.handlers import DownloadHandler, TaskOutputs
from orchestrator.limits import Limits
from tests.unit.handlers.downloads import (
    Downloads,
    downloaded,
    failed,
    files_below,
    only_end,
    succeeded,
)
from tests.unit.handlers.storage import MemoryStorage, NodeFiles
from tests.unit.owner import LIMIT, Owner


async def test_files_and_tasks_come_at_once_but_no_more_than_the_limit(
    tmp_path: Path, storage: MemoryStorage
) -> None:
    for task in range(6):
        for file in range(5):
            storage.put(f"t{task}", f"{file}.txt")
    storage.gate = anyio.Event()
    async with Owner() as owner:
        downloads = Downloads(owner, tmp_path, storage, limits=Limits(downloads=3))

        async def handle_all() -> None:
            for task in range(6):
                await downloads.handler.handle(succeeded(f"t{task}"))

        owner.start(handle_all, "worker")
        with anyio.fail_after(LIMIT):
            await anyio.wait_all_tasks_blocked()
            assert storage.reading == 3
            storage.gate.set()
            while downloads.handler.pending or len(downloads.of(OutputsDownloaded)) < 6:
                await downloads.handler.idle()
                await anyio.lowlevel.checkpoint()
    assert storage.most_reading == 3
    assert len(files_below(tmp_path)) == 30


async def test_giving_up_ends_every_task_with_the_reason_and_leaves_no_half_files(
    tmp_path: Path, storage: MemoryStorage
) -> None:
    storage.put("t1", "a.txt", b"x" * 2_000_000)
    storage.put("t2", "b.txt")
    storage.gate = anyio.Event()
    async with Owner() as owner:
        downloads = Downloads(owner, tmp_path, storage)
        with anyio.fail_after(LIMIT):
            await downloads.handler.handle(succeeded())
            await anyio.wait_all_tasks_blocked()
            downloads.handler.give_up("the run was cancelled")
            await downloads.handler.handle(succeeded("t2"))
            await downloads.handler.idle()
    ends = [event for event in downloads.events if isinstance(event, OutputsDownloaded)]
    assert sorted((end.key.task_id, end.missing) for end in ends) == [
        ("t1", (("*", "the run was cancelled"),)),
        ("t2", (("*", "the run was cancelled"),)),
    ]
    assert files_below(tmp_path) == {}


async def test_what_came_before_giving_up_is_told(tmp_path: Path, storage: MemoryStorage) -> None:
    storage.put("t1", "a.txt", b"x" * 2_000_000)
    storage.put("t1", "stderr.txt", b"")
    storage.gate = anyio.Event()
    async with Owner() as owner:
        downloads = Downloads(owner, tmp_path, storage)
        with anyio.fail_after(LIMIT):
            await downloads.handler.handle(succeeded())
            await anyio.wait_all_tasks_blocked()
            downloads.handler.give_up("the run was cancelled")
            await downloads.handler.idle()
    here = tmp_path / "job/t1/stderr.txt"
    assert [event.path for event in downloads.events if isinstance(event, OutputDownloaded)] == [here]
    end = only_end(downloads)
    assert (end.outputs, end.missing) == ((here,), (("*", "the run was cancelled"),))


async def test_the_files_of_a_failed_task_are_told_before_its_node_is_asked_for_more(
    tmp_path: Path, storage: MemoryStorage
) -> None:
    storage.put("t1", "stdout.txt", b"few")
    node = NodeFiles({("t1", "stderr.txt"): b"why"})
    downloads = await downloaded(tmp_path, storage, failed(), node=node)
    told = [event.path.name for event in downloads.events if isinstance(event, OutputDownloaded)]
    assert told == ["stdout.txt", "stderr.txt"]
    assert len(only_end(downloads).outputs) == 2


@pytest.mark.parametrize("steps", range(12))
async def test_a_download_cancelled_at_any_step_leaves_no_half_file(
    tmp_path: Path, storage: MemoryStorage, steps: int
) -> None:
    storage.put("t1", "a.txt", b"x" * 2_500_000)
    async with Owner() as owner:
        downloads = Downloads(owner, tmp_path, storage)
        with anyio.fail_after(LIMIT):
            await downloads.handler.handle(succeeded())
            for _ in range(steps):
                await anyio.lowlevel.checkpoint()
            owner.cancel()
    assert files_below(tmp_path) in ({}, {"job/t1/a.txt": b"x" * 2_500_000})


async def test_a_task_that_ends_twice_while_it_is_downloaded_is_downloaded_once(
    tmp_path: Path, storage: MemoryStorage
) -> None:
    storage.put("t1", "a.txt")
    downloads = await downloaded(tmp_path, storage, succeeded(), succeeded())
    assert storage.read == ["t1/a.txt"]
    only_end(downloads)


async def test_draining_the_bus_and_the_downloads_ends_both(tmp_path: Path, storage: MemoryStorage) -> None:
    for task in range(20):
        storage.put(f"t{task}", "a.txt")
    ends: list[OutputsDownloaded] = []
    async with Owner() as owner:
        bus = EventBus("run", limits=Limits(subscription_queue=2), start=owner.start)
        handler = DownloadHandler(
            bus.publish,
            storage=storage,
            output_container="outputs",
            download_dir=tmp_path,
            job_id="job",
            limits=Limits(downloads=2),
            expectations=lambda _: TaskOutputs(),
            start=owner.start,
        )
        bus.subscribe(handler.handle, handler.consumes, policy=Policy.WAIT, name=handler.name)
        bus.subscribe(ends.append, (OutputsDownloaded,), policy=Policy.WAIT, name="note")
        with anyio.fail_after(LIMIT):
            for task in range(20):
                await bus.publish(succeeded(f"t{task}"))
            await bus.drain()
            await handler.idle()
            await bus.drain()
            await bus.close(LIMIT)
    assert len(ends) == 20
