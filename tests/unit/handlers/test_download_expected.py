"""What was expected and did not come is named; what a failed task leaves is kept."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from orchestrator.events import OutputsDownloaded
from orchestrator.handlers import TaskOutputs
from orchestrator.limits import Limits
from orchestrator.spec.files import KeepLogs, UploadBy
from tests.unit.handlers.downloads import (
    downloaded,
    failed,
    files_below,
    only_end,
    succeeded,
)
from tests.unit.handlers.storage import MemoryStorage, NodeFiles


async def test_a_pattern_that_matches_no_file_of_a_task_that_succeeded_is_missing(
    tmp_path: Path, storage: MemoryStorage
) -> None:
    storage.put("t1", "a_OUTPUT.txt")
    wanted = TaskOutputs(expected=("*_OUTPUT.txt", "out/**/*.csv", "one.txt"))
    end = only_end(await downloaded(tmp_path, storage, succeeded(), wanted=wanted))
    assert end.missing == (("out/**/*.csv", "no file matched"), ("one.txt", "no file matched"))


async def test_a_failed_task_is_not_expected_to_leave_anything(
    tmp_path: Path, storage: MemoryStorage
) -> None:
    storage.put("t1", "stderr.txt")
    wanted = TaskOutputs(expected=("*_OUTPUT.txt",), upload_by=UploadBy.TASK)
    assert only_end(await downloaded(tmp_path, storage, failed(), wanted=wanted)).missing == ()


async def test_a_file_that_could_not_be_brought_is_missing_once(
    tmp_path: Path, storage: MemoryStorage
) -> None:
    storage.put("t1", "one.txt")
    storage.broken.add("t1/one.txt")
    wanted = TaskOutputs(expected=("*.txt",))
    end = only_end(await downloaded(tmp_path, storage, succeeded(), wanted=wanted))
    assert [name for name, _ in end.missing] == ["one.txt"]


BY_TASK = TaskOutputs(upload_by=UploadBy.TASK)


async def test_a_manifest_is_downloaded_and_vouches_for_the_files(
    tmp_path: Path, storage: MemoryStorage
) -> None:
    storage.put("t1", "a.txt")
    storage.put("t1", "stdout.txt")
    storage.put_manifest("t1", ["a.txt"])
    storage.told_md5["t1/a.txt"] = None
    end = only_end(await downloaded(tmp_path, storage, succeeded(), wanted=BY_TASK))
    assert end.missing == ()
    assert sorted(path.name for path in end.outputs) == ["a.txt", "manifest.json", "stdout.txt"]
    assert storage.read[0] == "t1/manifest.json"


@pytest.mark.parametrize("other", [b"CONTENT", b"longer content"])
async def test_a_file_other_than_its_manifest_says_never_gets_its_name(
    tmp_path: Path, storage: MemoryStorage, other: bytes
) -> None:
    storage.put("t1", "a.txt", b"content")
    storage.put_manifest("t1", ["a.txt"])
    storage.put("t1", "a.txt", other)
    end = only_end(await downloaded(tmp_path, storage, succeeded(), wanted=BY_TASK))
    assert [name for name, _ in end.missing] == ["a.txt"]
    assert list(files_below(tmp_path)) == ["job/t1/manifest.json"]


async def test_a_file_that_the_manifest_names_but_is_not_there_is_missing(
    tmp_path: Path, storage: MemoryStorage
) -> None:
    storage.put("t1", "a.txt")
    storage.put_manifest("t1", ["a.txt"])
    del storage.blobs["t1/a.txt"]
    end = only_end(await downloaded(tmp_path, storage, succeeded(), wanted=BY_TASK))
    assert end.missing == (("a.txt", "manifest.json names it, but it was not uploaded"),)


async def test_a_task_that_uploads_itself_and_left_no_manifest_has_missing_outputs(
    tmp_path: Path, storage: MemoryStorage
) -> None:
    end = only_end(await downloaded(tmp_path, storage, succeeded(), wanted=BY_TASK))
    assert end.missing == (("manifest.json", "the task's program uploaded none"),)


@pytest.mark.parametrize(
    "content",
    [
        b"not json",
        b'{"version": 2, "files": []}',
        b'{"files": []}',
        b'{"version": 1, "files": [{"path": "a", "size": 1, "md5": "?"}]}',
    ],
)
async def test_a_manifest_that_can_not_be_read_is_missing_and_the_files_arrive(
    tmp_path: Path, storage: MemoryStorage, content: bytes
) -> None:
    storage.put("t1", "a.txt")
    storage.put("t1", "manifest.json", content)
    end = only_end(await downloaded(tmp_path, storage, succeeded(), wanted=BY_TASK))
    assert [name for name, _ in end.missing] == ["manifest.json"]
    assert list(files_below(tmp_path)) == ["job/t1/a.txt"]


async def test_a_manifest_among_files_that_the_agent_uploaded_is_a_file_like_any(
    tmp_path: Path, storage: MemoryStorage
) -> None:
    storage.put("t1", "manifest.json", b"not json")
    assert only_end(await downloaded(tmp_path, storage, succeeded())).missing == ()
    assert files_below(tmp_path) == {"job/t1/manifest.json": b"not json"}


async def test_the_logs_of_a_failed_task_come_from_its_node_if_they_were_not_uploaded(
    tmp_path: Path, storage: MemoryStorage
) -> None:
    node = NodeFiles({("t1", "stderr.txt"): b"what went wrong", ("t1", "stdout.txt"): b"out"})
    end = only_end(await downloaded(tmp_path, storage, failed(), node=node))
    assert files_below(tmp_path) == {"job/t1/stderr.txt": b"what went wrong", "job/t1/stdout.txt": b"out"}
    assert len(end.outputs) == 2


async def test_uploaded_logs_are_not_read_from_the_node(tmp_path: Path, storage: MemoryStorage) -> None:
    storage.put("t1", "stderr.txt", b"uploaded")
    storage.put("t1", "stdout.txt", b"uploaded")
    node = NodeFiles({})
    await downloaded(tmp_path, storage, failed(), node=node)
    assert node.asked == []
    assert sorted(files_below(tmp_path)) == ["job/t1/stderr.txt", "job/t1/stdout.txt"]


async def test_logs_from_a_node_are_cut_at_the_limit(tmp_path: Path, storage: MemoryStorage) -> None:
    node = NodeFiles({("t1", "stderr.txt"): b"x" * 1000})
    await downloaded(tmp_path, storage, failed(), node=node, limits=Limits(failure_log_bytes=25))
    assert files_below(tmp_path)["job/t1/stderr.txt"] == b"x" * 25


@pytest.mark.parametrize("node", [None, NodeFiles({})])
async def test_a_failure_without_logs_leaves_what_the_service_says(
    tmp_path: Path, storage: MemoryStorage, node: NodeFiles | None
) -> None:
    end = only_end(await downloaded(tmp_path, storage, failed(), node=node))
    assert end.missing == ()
    (path,) = end.outputs
    assert path == tmp_path / "job/t1/failure.json"
    assert json.loads(path.read_text()) == {
        "code": "FailureExitCode",
        "category": "usererror",
        "message": "it failed",
        "details": {"a": "b"},
        "exit_code": 3,
    }


async def test_a_process_that_never_started_leaves_a_failure_file_beside_its_logs(
    tmp_path: Path, storage: MemoryStorage
) -> None:
    storage.put("t1", "stderr.txt", b"")
    await downloaded(tmp_path, storage, failed(exit_code=None))
    assert sorted(files_below(tmp_path)) == ["job/t1/failure.json", "job/t1/stderr.txt"]


async def test_a_tasks_own_failure_file_is_kept(tmp_path: Path, storage: MemoryStorage) -> None:
    storage.put("t1", "failure.json", b"mine")
    await downloaded(tmp_path, storage, failed(exit_code=None))
    assert files_below(tmp_path) == {"job/t1/failure.json": b"mine"}


NAMED = TaskOutputs(expected=("out/a.txt",), names=("out/a.txt",))


async def test_files_that_the_job_file_names_come_without_a_listing(
    tmp_path: Path, storage: MemoryStorage
) -> None:
    storage.put("t1", "out/a.txt", b"one")
    storage.put("t1", "stdout.txt", b"two")
    storage.put("t1", "not named.txt")
    storage.listing_broken = "AuthorizationFailure"
    end = only_end(await downloaded(tmp_path, storage, succeeded(), wanted=NAMED))
    assert end.missing == ()
    assert files_below(tmp_path) == {"job/t1/out/a.txt": b"one", "job/t1/stdout.txt": b"two"}


async def test_a_file_that_the_job_file_names_and_that_is_not_there_is_missing(
    tmp_path: Path, storage: MemoryStorage
) -> None:
    end = only_end(await downloaded(tmp_path, storage, succeeded(), wanted=NAMED))
    assert end.missing == (("out/a.txt", "no file matched"),)


async def test_logs_that_are_kept_of_failures_only_are_not_asked_for_where_a_task_succeeds(
    tmp_path: Path, storage: MemoryStorage
) -> None:
    wanted = TaskOutputs(names=(), logs=KeepLogs.ON_FAILURE)
    storage.gone = True  # any request would fail
    end = only_end(await downloaded(tmp_path, storage, succeeded(), wanted=wanted))
    assert (end.outputs, end.missing) == ((), ())


async def test_ends_of_many_tasks_without_files_are_told_together_each_once(
    tmp_path: Path, storage: MemoryStorage
) -> None:
    wanted = TaskOutputs(names=(), logs=KeepLogs.ON_FAILURE)
    ends = [succeeded(f"t{number}") for number in range(1000)]
    downloads = await downloaded(tmp_path, storage, *ends, wanted=wanted)
    told = [event.key for event in downloads.events if isinstance(event, OutputsDownloaded)]
    assert told == [end.key for end in ends]
    assert len(downloads.together) < 20
    assert max(downloads.together) <= 200
    assert downloads.handler.pending == 0


async def test_logs_that_are_kept_of_failures_only_come_where_a_task_fails(
    tmp_path: Path, storage: MemoryStorage
) -> None:
    storage.put("t1", "stderr.txt", b"what went wrong")
    wanted = TaskOutputs(names=(), logs=KeepLogs.ON_FAILURE)
    await downloaded(tmp_path, storage, failed(), wanted=wanted)
    assert files_below(tmp_path) == {"job/t1/stderr.txt": b"what went wrong"}


async def test_a_container_that_is_gone_is_not_taken_for_files_that_are_not_there(
    tmp_path: Path, storage: MemoryStorage
) -> None:
    storage.gone = True
    end = only_end(await downloaded(tmp_path, storage, succeeded(), wanted=NAMED))
    assert sorted(name for name, _ in end.missing) == ["out/a.txt", "stderr.txt", "stdout.txt"]
    assert all("ContainerNotFound" in reason for _, reason in end.missing)


async def test_a_failed_task_whose_logs_are_not_uploaded_gets_them_from_its_node_though_they_have_names(
    tmp_path: Path, storage: MemoryStorage
) -> None:
    node = NodeFiles({("t1", "stderr.txt"): b"what went wrong"})
    await downloaded(tmp_path, storage, failed(), wanted=NAMED, node=node)
    assert files_below(tmp_path) == {"job/t1/stderr.txt": b"what went wrong"}


async def test_a_failure_file_that_the_job_file_names_and_that_is_not_there_is_written_here(
    tmp_path: Path, storage: MemoryStorage
) -> None:
    wanted = TaskOutputs(names=("failure.json",))
    await downloaded(tmp_path, storage, failed(exit_code=None), wanted=wanted)
    assert list(files_below(tmp_path)) == ["job/t1/failure.json"]
