"""Outputs come to this disk as each task ends, whole and checked, or are named with the reason."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from orchestrator.events import (
    DownloadFailed,
    OutputDownloaded,
    OutputsDownloaded,
)
from orchestrator.states import BlobSnapshot
from tests.unit.handlers.downloads import (
    downloaded,
    files_below,
    only_end,
    succeeded,
)
from tests.unit.handlers.storage import MemoryStorage


async def test_a_tasks_blobs_become_files_in_its_folder(tmp_path: Path, storage: MemoryStorage) -> None:
    storage.put("t1", "a.txt", b"one")
    storage.put("t1", "deep/er/b.bin", b"\0" * 3_000_000)
    storage.put("t1", "empty", b"")
    storage.put("t10", "other task.txt")
    downloads = await downloaded(tmp_path, storage, succeeded())
    assert files_below(tmp_path) == {
        "job/t1/a.txt": b"one",
        "job/t1/deep/er/b.bin": b"\0" * 3_000_000,
        "job/t1/empty": b"",
    }
    end = only_end(downloads)
    assert sorted(end.outputs) == [tmp_path / "job/t1" / name for name in ("a.txt", "deep/er/b.bin", "empty")]
    assert end.size == 3_000_003
    assert end.missing == ()
    told = [event for event in downloads.events if isinstance(event, OutputDownloaded)]
    assert {(event.path, event.size) for event in told} == {
        (tmp_path / "job/t1/a.txt", 3),
        (tmp_path / "job/t1/deep/er/b.bin", 3_000_000),
        (tmp_path / "job/t1/empty", 0),
    }


async def test_a_file_that_the_listing_shows_empty_costs_no_request(
    tmp_path: Path, storage: MemoryStorage
) -> None:
    storage.put("t1", "stderr.txt", b"")
    storage.put("t1", "stdout.txt", b"done\n")
    end = only_end(await downloaded(tmp_path, storage, succeeded()))
    assert files_below(tmp_path) == {"job/t1/stderr.txt": b"", "job/t1/stdout.txt": b"done\n"}
    assert len(end.outputs) == 2
    assert storage.read == ["t1/stdout.txt"]


async def test_a_tasks_small_files_are_told_in_one_go_with_the_end_of_all(
    tmp_path: Path, storage: MemoryStorage
) -> None:
    for name in ("a.txt", "stderr.txt", "stdout.txt"):
        storage.put("t1", name, b"few")
    downloads = await downloaded(tmp_path, storage, succeeded())
    assert [type(event) for event in downloads.events] == [OutputDownloaded] * 3 + [OutputsDownloaded]
    assert downloads.together == [4], "each telling waits for the journal"


async def test_a_task_that_left_nothing_comes_to_an_end_too(tmp_path: Path, storage: MemoryStorage) -> None:
    end = only_end(await downloaded(tmp_path, storage, succeeded()))
    assert (end.outputs, end.missing) == ((), ())


@pytest.mark.parametrize(
    "name",
    [
        "spaced name.txt",
        "$(touch owned).txt",
        "two\nlines.txt",
        "-rf",
        "ünï 日本語 😀.txt",
        "a\\b.txt",
        "\"quoted'.txt",
        ".hidden",
        "...",
        "x" * 255,
    ],
)
async def test_an_odd_name_arrives_as_it_is(tmp_path: Path, storage: MemoryStorage, name: str) -> None:
    storage.put("t1", name)
    assert only_end(await downloaded(tmp_path, storage, succeeded())).missing == ()
    assert files_below(tmp_path) == {f"job/t1/{name}": b"content"}


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("../escaped", "'..'"),
        ("a/../../escaped", "'..'"),
        ("/absolute", "absolute"),
        ("a//b", "segment ''"),
        ("./a", "'.'"),
        ("folder/", "segment ''"),
        ("", "segment ''"),
        ("nul\0.txt", "NUL"),
        ("é" * 128, "255 bytes"),
        ("d/" * 600 + "x", "1024"),
        (".x.orchestrator-part", "being written"),
    ],
)
async def test_a_name_that_is_no_file_name_is_refused_and_the_others_arrive(
    tmp_path: Path, storage: MemoryStorage, name: str, reason: str
) -> None:
    folder = tmp_path / "results"
    storage.put("t1", name)
    storage.put("t1", "good.txt")
    downloads = await downloaded(folder, storage, succeeded())
    ((missing, why),) = only_end(downloads).missing
    assert missing == name
    assert reason in why
    (told,) = downloads.of(DownloadFailed)
    assert isinstance(told, DownloadFailed)
    assert (told.name, told.reason) == (name, why)
    assert files_below(tmp_path) == {"results/job/t1/good.txt": b"content"}


async def test_of_two_names_that_differ_only_by_case_the_second_is_refused(
    tmp_path: Path, storage: MemoryStorage
) -> None:
    storage.put("t1", "Result.txt", b"first")
    storage.put("t1", "result.txt", b"second")
    end = only_end(await downloaded(tmp_path, storage, succeeded()))
    assert end.missing == (("result.txt", "it differs only by case from 'Result.txt'"),)
    assert files_below(tmp_path) == {"job/t1/Result.txt": b"first"}


async def test_of_two_tasks_whose_ids_differ_only_by_case_the_second_is_refused(
    tmp_path: Path, storage: MemoryStorage
) -> None:
    storage.put("Task", "a.txt", b"first")
    storage.put("task", "a.txt", b"second")
    downloads = await downloaded(tmp_path, storage, succeeded("Task"), succeeded("task"))
    ends = {event.key.task_id: event for event in downloads.events if isinstance(event, OutputsDownloaded)}
    assert ends["Task"].missing == ()
    assert ends["task"].missing == (("*", "the task's id differs only by case from 'Task'"),)
    assert files_below(tmp_path) == {"job/Task/a.txt": b"first"}


@pytest.mark.parametrize("wrong", ["size", "md5", "broken off"])
async def test_a_file_that_is_not_what_the_blob_says_never_gets_its_name(
    tmp_path: Path, storage: MemoryStorage, wrong: str
) -> None:
    storage.put("t1", "a.txt", b"x" * 2_000_000)
    storage.put("t1", "b.txt")
    match wrong:
        case "size":
            storage.told_size["t1/a.txt"] = 5
        case "md5":
            storage.told_md5["t1/a.txt"] = b"\0" * 16
        case _:
            storage.broken.add("t1/a.txt")
    end = only_end(await downloaded(tmp_path, storage, succeeded()))
    assert [name for name, _ in end.missing] == ["a.txt"]
    assert files_below(tmp_path) == {"job/t1/b.txt": b"content"}


async def test_a_blob_without_md5_is_checked_by_its_size(tmp_path: Path, storage: MemoryStorage) -> None:
    storage.put("t1", "a.txt")
    storage.told_md5["t1/a.txt"] = None
    assert only_end(await downloaded(tmp_path, storage, succeeded())).missing == ()


async def test_a_listing_that_fails_gives_the_whole_task_up(tmp_path: Path, storage: MemoryStorage) -> None:
    storage.listing_broken = "AuthorizationFailure"
    downloads = await downloaded(tmp_path, storage, succeeded(), succeeded("t2"))
    ends = downloads.of(OutputsDownloaded)
    assert len(ends) == 2
    for end in ends:
        assert isinstance(end, OutputsDownloaded)
        ((name, reason),) = end.missing
        assert name == "*"
        assert "AuthorizationFailure" in reason


async def test_a_defect_in_a_handlers_storage_still_ends_the_task(tmp_path: Path) -> None:
    class Broken(MemoryStorage):
        async def list_blobs(self, container: str, prefix: str) -> AsyncGenerator[BlobSnapshot, None]:
            async for _ in super().list_blobs(container, prefix):
                raise ZeroDivisionError("oops")
            yield BlobSnapshot(name="never", size=0)

    storage = Broken()
    storage.put("t1", "a.txt")
    end = only_end(await downloaded(tmp_path, storage, succeeded()))
    assert end.missing == (("*", "ZeroDivisionError: oops"),)
