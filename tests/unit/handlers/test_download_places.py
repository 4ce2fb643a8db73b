"""What is on the disk already is never overwritten, followed or escaped to."""

from __future__ import annotations

from pathlib import Path

import anyio
import pytest

from orchestrator.handlers.result_paths import temporary_name
from orchestrator.limits import Limits
from tests.unit.handlers.downloads import (
    Downloads,
    downloaded,
    files_below,
    only_end,
    succeeded,
)
from tests.unit.handlers.storage import MemoryStorage
from tests.unit.owner import LIMIT, Owner


async def test_results_of_an_earlier_run_of_the_job_are_replaced(
    tmp_path: Path, storage: MemoryStorage
) -> None:
    storage.put("t1", "a.txt", b"first run")
    await downloaded(tmp_path, storage, succeeded())
    storage.put("t1", "a.txt", b"second run")
    assert only_end(await downloaded(tmp_path, storage, succeeded())).missing == ()
    storage.put("t1", "a.txt", b"third run")
    assert only_end(await downloaded(tmp_path, storage, succeeded())).missing == ()
    assert files_below(tmp_path) == {"job/t1/a.txt": b"third run"}


async def test_a_task_downloaded_twice_in_one_run_replaces_its_own_files(
    tmp_path: Path, storage: MemoryStorage
) -> None:
    async with Owner() as owner:
        downloads = Downloads(owner, tmp_path, storage)
        with anyio.fail_after(LIMIT):
            for content in (b"once", b"twice"):
                storage.put("t1", "a.txt", content)
                await downloads.handler.handle(succeeded())
                await downloads.handler.idle()
    assert files_below(tmp_path) == {"job/t1/a.txt": b"twice"}


async def test_a_file_that_no_run_wrote_is_never_overwritten(tmp_path: Path, storage: MemoryStorage) -> None:
    mine = tmp_path / "job/t1/a.txt"
    mine.parent.mkdir(parents=True)
    mine.write_text("my own notes")
    storage.put("t1", "a.txt")
    storage.put("t1", "b.txt")
    ((name, reason),) = only_end(await downloaded(tmp_path, storage, succeeded())).missing
    assert name == "a.txt"
    assert "no run of this job wrote" in reason
    assert files_below(tmp_path) == {"job/t1/a.txt": b"my own notes", "job/t1/b.txt": b"content"}


async def test_a_result_that_was_edited_since_is_not_overwritten(
    tmp_path: Path, storage: MemoryStorage
) -> None:
    storage.put("t1", "a.txt", b"first")
    await downloaded(tmp_path, storage, succeeded())
    (tmp_path / "job/t1/a.txt").write_text("first, with my remarks")
    storage.put("t1", "a.txt", b"second")
    assert len(only_end(await downloaded(tmp_path, storage, succeeded())).missing) == 1
    assert files_below(tmp_path) == {"job/t1/a.txt": b"first, with my remarks"}


async def test_a_foreign_file_with_the_very_same_content_is_no_obstacle(
    tmp_path: Path, storage: MemoryStorage
) -> None:
    mine = tmp_path / "job/t1/a.txt"
    mine.parent.mkdir(parents=True)
    mine.write_bytes(b"content")
    storage.put("t1", "a.txt", b"content")
    assert only_end(await downloaded(tmp_path, storage, succeeded())).missing == ()


async def test_what_a_killed_run_left_half_written_is_replaced(
    tmp_path: Path, storage: MemoryStorage
) -> None:
    storage.put("t1", "a.txt")
    await downloaded(tmp_path, storage, succeeded())
    folder = tmp_path / "job/t1"
    # The line of the list is written, the file has not got its name; the line after it was cut off.
    with (tmp_path / "job/.orchestrator/results.jsonl").open("a") as ledger:
        ledger.write('{"path":"t1/a.txt","size":3,"md5":"acbd18db4cc2f85cedef654fccc4a4d8"}\n{"path":"t1')
    storage.put("t1", "a.txt", b"new")
    assert only_end(await downloaded(tmp_path, storage, succeeded())).missing == ()
    (folder / "a.txt").write_bytes(b"foo")  # what the cut-off run would have put there
    assert only_end(await downloaded(tmp_path, storage, succeeded())).missing == ()
    assert files_below(tmp_path) == {"job/t1/a.txt": b"new"}


@pytest.mark.parametrize("link", ["job", "job/t1", "job/t1/deep", "job/.orchestrator"])
async def test_a_folder_that_is_a_link_is_never_entered(
    tmp_path: Path, storage: MemoryStorage, link: str
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    results = tmp_path / "results"
    (results / link).parent.mkdir(parents=True)
    (results / link).symlink_to(outside)
    storage.put("t1", "deep/a.txt")
    ((_, reason),) = only_end(await downloaded(results, storage, succeeded())).missing
    assert "link" in reason
    assert list(outside.iterdir()) == []


@pytest.mark.parametrize("target", ["outside.txt", "nowhere.txt"])
async def test_a_file_that_is_a_link_is_never_written_through(
    tmp_path: Path, storage: MemoryStorage, target: str
) -> None:
    outside = tmp_path / "outside.txt"
    outside.write_text("precious")
    link = tmp_path / "results/job/t1/a.txt"
    link.parent.mkdir(parents=True)
    link.symlink_to(tmp_path / target)
    storage.put("t1", "a.txt")
    ((_, reason),) = only_end(await downloaded(tmp_path / "results", storage, succeeded())).missing
    assert "a link of that name" in reason
    assert outside.read_text() == "precious"
    assert link.is_symlink()


async def test_a_link_at_the_temporary_name_is_not_written_through(
    tmp_path: Path, storage: MemoryStorage
) -> None:
    precious = tmp_path / "precious"
    precious.write_text("precious")
    folder = tmp_path / "results/job/t1"
    folder.mkdir(parents=True)
    (folder / temporary_name("a.txt")).symlink_to(precious)
    storage.put("t1", "a.txt")
    assert only_end(await downloaded(tmp_path / "results", storage, succeeded())).missing == ()
    assert precious.read_text() == "precious"
    assert [path.name for path in folder.iterdir()] == ["a.txt"]


async def test_a_blob_below_another_blobs_name_is_refused_and_the_other_arrives(
    tmp_path: Path, storage: MemoryStorage
) -> None:
    storage.put("t1", "a", b"file")
    storage.put("t1", "a/b", b"below it")
    end = only_end(await downloaded(tmp_path, storage, succeeded(), limits=Limits(downloads=1)))
    assert [name for name, _ in end.missing] == ["a/b"]
    assert files_below(tmp_path) == {"job/t1/a": b"file"}


async def test_a_download_folder_that_can_not_be_made_gives_the_files_up(
    tmp_path: Path, storage: MemoryStorage
) -> None:
    (tmp_path / "file").write_text("in the way")
    storage.put("t1", "a.txt")
    end = only_end(await downloaded(tmp_path / "file", storage, succeeded()))
    assert [name for name, _ in end.missing] == ["a.txt"]
