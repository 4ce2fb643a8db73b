"""What tasks left is listed for those that ended together, and is what each would have found for itself."""

from __future__ import annotations

from pathlib import Path

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.errors import ServiceError
from orchestrator.events import OutputsDownloaded
from orchestrator.handlers.task_listing import TaskListing
from tests.unit.handlers.downloads import downloaded, succeeded
from tests.unit.handlers.storage import MemoryStorage

_IDS = st.sampled_from(["t", "t-", "t-1", "t-2", "t-10", "t-11", "t-12", "t-101", "u-1", "u-2", "é1", "é2"])
_BLOBS = st.lists(st.tuples(_IDS, st.sampled_from(["a", "b/c", "t-1/x"])), max_size=20)


async def names_of(listing: TaskListing, *tasks: str) -> dict[str, list[str]]:
    """What is found for each, all asked for at once."""
    found: dict[str, list[str]] = {}

    async def ask(task: str) -> None:
        found[task] = sorted(blob.name for blob in await listing.of(task))

    with anyio.fail_after(5):
        async with anyio.create_task_group() as group:
            for task in tasks:
                group.start_soon(ask, task)
    return found


async def test_neighbours_are_listed_with_one_request(storage: MemoryStorage) -> None:
    tasks = [f"t-{number}" for number in range(10, 25)]
    for task in (*tasks, "t-1", "t-100"):
        storage.put(task, "out.txt")
    found = await names_of(TaskListing(storage, "outputs"), *tasks)
    assert found == {task: [f"{task}/out.txt"] for task in tasks}
    assert sorted(storage.listed) == ["t-1", "t-2"]


async def test_one_alone_is_listed_by_its_whole_id(storage: MemoryStorage) -> None:
    storage.put("t-10", "out.txt")
    assert await names_of(TaskListing(storage, "outputs"), "t-10", "u-1") == {
        "t-10": ["t-10/out.txt"],
        "u-1": [],
    }
    assert sorted(storage.listed) == ["t-10/", "u-1/"]


async def test_who_asks_while_a_list_is_under_way_does_not_get_that_one(storage: MemoryStorage) -> None:
    # What it left may have come after the page was made.
    listing = TaskListing(storage, "outputs")
    found: list[str] = []

    async def late() -> None:
        while not storage.listed:
            await anyio.lowlevel.checkpoint()
        storage.put("t-13", "late.txt")
        found.extend(blob.name for blob in await listing.of("t-13"))

    async with anyio.create_task_group() as group:
        group.start_soon(late)
        await names_of(listing, "t-11", "t-12")
    assert found == ["t-13/late.txt"]
    assert storage.listed == ["t-1", "t-13/"]


async def test_where_too_many_others_begin_alike_each_is_listed_alone_from_then_on(
    storage: MemoryStorage,
) -> None:
    for number in range(50):
        storage.put(f"t-1{number:02}", "out.txt")
    listing = TaskListing(storage, "outputs")
    for _ in range(2):
        found = await names_of(listing, "t-1", "t-2")
        assert found == {"t-1": [], "t-2": []}
    assert sorted(storage.listed) == ["t-", "t-1/", "t-1/", "t-2/", "t-2/"]


async def test_tasks_with_many_files_are_listed_side_by_side(storage: MemoryStorage) -> None:
    for task in ("t-1", "t-2"):
        for number in range(40):
            storage.put(task, f"{number:02}")
    listing = TaskListing(storage, "outputs")
    found = await names_of(listing, "t-1", "t-2")
    assert {task: len(names) for task, names in found.items()} == {"t-1": 40, "t-2": 40}
    await names_of(listing, "t-1", "t-2")
    assert sorted(storage.listed) == ["t-", "t-1/", "t-1/", "t-2/", "t-2/"]


async def test_an_account_that_refuses_is_asked_once_for_all(tmp_path: Path, storage: MemoryStorage) -> None:
    storage.listing_broken = "AuthorizationFailure"
    with pytest.raises(ServiceError):
        await TaskListing(storage, "outputs").of("u-1")
    downloads = await downloaded(tmp_path, storage, succeeded("t-11"), succeeded("t-12"))
    ends = [event for event in downloads.events if isinstance(event, OutputsDownloaded)]
    assert [len(end.missing) for end in ends] == [1, 1]
    assert storage.listed == ["u-1/", "t-1"]


async def test_a_list_that_cant_be_read_is_not_the_neighbours_trouble(
    tmp_path: Path, storage: MemoryStorage
) -> None:
    storage.listing_broken = "UnreadableList"
    downloads = await downloaded(tmp_path, storage, succeeded("t-11"), succeeded("t-12"))
    ends = [event for event in downloads.events if isinstance(event, OutputsDownloaded)]
    assert [len(end.missing) for end in ends] == [1, 1]
    assert sorted(storage.listed) == ["t-1", "t-11/", "t-12/"]


@pytest.mark.parametrize("steps", range(4))
async def test_when_the_one_who_lists_is_cancelled_the_others_list_for_themselves(
    storage: MemoryStorage, steps: int
) -> None:
    for number in (1, 2, 3):
        storage.put(f"t-{number}", "out.txt")
    listing = TaskListing(storage, "outputs")
    scope = anyio.CancelScope()

    async def first() -> None:
        with scope:
            await listing.of("t-1")

    async def cancel() -> None:
        for _ in range(steps):
            await anyio.lowlevel.checkpoint()
        scope.cancel()

    async with anyio.create_task_group() as group:
        group.start_soon(first)
        group.start_soon(cancel)
        assert await names_of(listing, "t-2", "t-3") == {"t-2": ["t-2/out.txt"], "t-3": ["t-3/out.txt"]}
    assert await names_of(listing, "t-1", "t-2") == {"t-1": ["t-1/out.txt"], "t-2": ["t-2/out.txt"]}


@given(blobs=_BLOBS, tasks=st.sets(_IDS, min_size=1))
def test_each_gets_what_it_would_have_found_for_itself(blobs: list[tuple[str, str]], tasks: set[str]) -> None:
    storage = MemoryStorage()
    for task, path in blobs:
        storage.put(task, path)
    alone = {task: sorted(name for name in storage.blobs if name.startswith(f"{task}/")) for task in tasks}

    async def ask() -> dict[str, list[str]]:
        return await names_of(TaskListing(storage, "outputs"), *sorted(tasks))

    assert anyio.run(ask) == alone
