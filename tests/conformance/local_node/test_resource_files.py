"""Resource files come before the command, or it does not run."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator

import pytest

from tests.conformance.local_node.conftest import Bench, code
from tests.conformance.local_node.storage import Storage
from tests.conformance.waiting import until


@pytest.fixture
async def storage() -> AsyncIterator[Storage]:
    """A server that runs and is empty."""
    server = Storage()
    await server.start()
    yield server
    await server.close()


async def test_files_are_there_with_their_mode_when_the_command_starts(
    bench: Bench, storage: Storage
) -> None:
    storage.blobs = {"a": b"one", "b": b"two" * 300_000}
    files = (
        {"httpUrl": f"{storage.url}/c/a?sig=x", "filePath": "in/put.txt"},
        {"httpUrl": f"{storage.url}/moved/b", "filePath": "tool", "fileMode": "0755"},
    )
    outcome = await bench.run("sh -c 'cat in/put.txt; stat -c %a in/put.txt tool'", resource_files=files)
    assert outcome.exit_code == 0
    assert bench.text("stdout.txt").split() == ["one770", "755"]
    assert (bench.folder() / "wd" / "tool").read_bytes() == storage.blobs["b"]


@pytest.mark.parametrize(
    ("path", "expected", "category", "asked"),
    [
        ("status/404/x", "BlobNotFound", "UserError", 1),
        ("status/403/x", "BlobAccessDenied", "UserError", 1),
        ("status/401/x", "BlobAccessDenied", "UserError", 1),
        ("status/500/x", "BlobDownloadMiscError", "ServerError", 3),
        ("slow/x", "BlobDownloadTimedOut", "ServerError", 3),
        ("short/x", "BlobDownloadMiscError", "ServerError", 3),
        ("corrupt/x", "BlobDownloadMiscError", "ServerError", 3),
    ],
)
async def test_a_file_that_does_not_come_keeps_the_command_from_running(
    bench: Bench, storage: Storage, *, path: str, expected: str, category: str, asked: int
) -> None:
    files = ({"httpUrl": f"{storage.url}/{path}?sig=secret", "filePath": "x"},)
    outcome = await bench.run("sh -c 'echo ran'", resource_files=files)
    assert outcome.exit_code is None
    assert outcome.failure is not None
    assert (outcome.failure["code"], outcome.failure["category"]) == (expected, category)
    assert {"name": "FilePath", "value": "x"} in outcome.failure["details"]
    assert "secret" not in str(outcome.failure)
    assert storage.requests[path.partition("/")[0]] == asked
    assert bench.text("stdout.txt") == ""


async def test_a_passing_fault_is_not_seen(bench: Bench, storage: Storage) -> None:
    storage.blobs["a"] = b"one"
    files = ({"httpUrl": f"{storage.url}/flaky/2/a", "filePath": "a"},)
    assert (await bench.run("cat a", resource_files=files)).exit_code == 0
    assert bench.text("stdout.txt") == "one"


async def test_a_server_that_is_not_there_is_an_error_of_the_download(bench: Bench) -> None:
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))  # nobody listens here
        files = ({"httpUrl": f"http://127.0.0.1:{reserved.getsockname()[1]}/x", "filePath": "x"},)
        assert code(await bench.run("true", resource_files=files)) == "BlobDownloadMiscError"


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://127.0.0.1/x", "http:///x", "x"])
async def test_an_address_that_is_no_http_is_an_error_of_the_download(bench: Bench, url: str) -> None:
    files = ({"httpUrl": url, "filePath": "x"},)
    assert code(await bench.run("true", resource_files=files)) == "BlobDownloadMiscError"


@pytest.mark.parametrize("path", ["../escape", "/tmp/escape", "a/../../escape", ""])
async def test_no_file_leaves_the_working_directory(bench: Bench, storage: Storage, path: str) -> None:
    storage.blobs["a"] = b"one"
    files = ({"httpUrl": f"{storage.url}/c/a", "filePath": path},)
    outcome = await bench.run("true", resource_files=files)
    assert (outcome.exit_code, code(outcome)) == (None, "ResourceFileCreateFailed")
    assert storage.requests.total() == 0


async def test_a_file_in_the_way_of_a_folder_is_told(bench: Bench, storage: Storage) -> None:
    storage.blobs["a"] = b"one"
    files = tuple({"httpUrl": f"{storage.url}/c/a", "filePath": path} for path in ("x", "x/y"))
    assert code(await bench.run("true", resource_files=files)) == "ResourceDirectoryCreateFailed"


async def test_a_source_that_is_not_served_is_refused_by_name(bench: Bench) -> None:
    outcome = await bench.run("true", resource_files=({"autoStorageContainerName": "c"},))
    assert outcome.failure is not None
    assert "storageContainerUrl" in str(outcome.failure["details"])


async def test_the_time_limit_counts_downloads(bench: Bench, storage: Storage) -> None:
    files = ({"httpUrl": f"{storage.url}/slow/x", "filePath": "x"},)
    outcome = await bench.run("true", resource_files=files, max_wall_clock_seconds=0.2)
    assert (outcome.exit_code, code(outcome)) == (None, "TaskEnded")
    assert storage.requests["slow"] == 1


async def test_a_download_can_be_killed(bench: Bench, storage: Storage) -> None:
    files = ({"httpUrl": f"{storage.url}/slow/x", "filePath": "x"},)
    running = asyncio.ensure_future(bench.run("true", resource_files=files, execution_id="x"))
    await until(lambda: storage.requests["slow"], "the request is there")
    await bench.node.kill("x", code="TaskEnded", message="over")
    outcome = await running
    assert (outcome.exit_code, code(outcome)) == (None, "TaskEnded")
