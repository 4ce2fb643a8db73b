"""Output files go up when the command has ended, whole containers come down: with the real blob server."""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from azure.storage.blob import BlobBlock, generate_container_sas
from azure.storage.blob.aio import BlobServiceClient, ContainerClient

from orchestrator.local.blob.endpoint import BlobEndpoint
from orchestrator.local.node_agent.block_blobs import BLOCK
from tests.conformance.local_node.conftest import Bench, code


@dataclass
class Container:
    """A container, empty at first, and what it takes to get at it."""

    client: ContainerClient
    key: str

    def url(self, permission: str = "rwl", *, name: str | None = None, hours: float = 1) -> str:
        sas = generate_container_sas(
            "local",
            name or self.client.container_name,
            account_key=self.key,
            permission=permission,
            expiry=datetime.now(UTC) + timedelta(hours=hours),
        )
        return f"{self.client.url.rpartition('/')[0]}/{name or self.client.container_name}?{sas}"

    async def names(self) -> list[str]:
        return sorted([name async for name in self.client.list_blob_names()])

    async def text(self, name: str) -> str:
        return (await (await self.client.download_blob(name)).readall()).decode()


@pytest.fixture
async def container(tmp_path: Path) -> AsyncIterator[Container]:
    """An empty container on a blob server that has just started."""
    key = base64.b64encode(secrets.token_bytes(64)).decode()
    endpoint = BlobEndpoint(account_name="local", account_key=key, data_dir=tmp_path / "blob")
    await endpoint.start()
    try:
        async with BlobServiceClient.from_connection_string(endpoint.connection_string) as service:
            client = service.get_container_client("box")
            await client.create_container()
            yield Container(client, key)
    finally:
        await endpoint.close()


def output(pattern: str, url: str, condition: str = "taskcompletion", **more: Any) -> dict[str, Any]:
    destination = {"container": {"containerUrl": url} | more}
    return {
        "filePattern": pattern,
        "destination": destination,
        "uploadOptions": {"uploadCondition": condition},
    }


async def test_logs_go_up_with_the_upload_logs_as_recorded(bench: Bench, container: Container) -> None:
    files = (output("$AZ_BATCH_TASK_DIR/*.txt", container.url("rw"), "TaskSuccess"),)
    outcome = await bench.run("/bin/bash -c 'echo test'", output_files=files)
    assert (outcome.exit_code, outcome.failure) == (0, None)
    assert await container.names() == ["fileuploaderr.txt", "fileuploadout.txt", "stderr.txt", "stdout.txt"]
    assert await container.text("stdout.txt") == "test\n"
    properties = await container.client.get_blob_client("stdout.txt").get_blob_properties()
    assert properties.content_settings.content_type == "application/octet-stream"
    assert "sig=" not in bench.text("fileuploadout.txt")


async def test_the_upload_logs_go_up_last_and_tell_of_the_others(bench: Bench, container: Container) -> None:
    files = (
        output("../fileuploadout.txt", container.url("w")),
        output("../std*.txt", container.url("w"), path="a"),
        output("**/*", container.url("w"), path="b"),
    )
    outcome = await bench.run(
        "sh -c 'for name in 1 2 3 4 5 6 7; do echo $name > $name; done'", output_files=files
    )
    assert outcome.failure is None
    told = await container.text("fileuploadout.txt")
    shown = [*(f"wd/{name}" for name in range(1, 8)), "stdout.txt", "stderr.txt"]
    assert all(f" {name}: " in told for name in shown)
    assert f"{container.client.container_name}/b/7" in told


async def test_of_two_files_for_one_name_the_later_stays(bench: Bench, container: Container) -> None:
    names = "1 2 3 4 5 6"
    files = tuple(output(name, container.url("w"), path="one") for name in names.split())
    outcome = await bench.run(f"sh -c 'for name in {names}; do echo $name > $name; done'", output_files=files)
    assert outcome.failure is None
    assert await container.text("one") == "6\n"


async def test_names_of_any_kind_and_headers_arrive(bench: Bench, container: Container) -> None:
    names = ["é ü.out", "a b%20+c.out", "q?u&e#s.out", "new\nline.out"]
    script = bench.node.root / "shared" / "script.py"
    script.write_text(f"for name in {names!r}: open(name, 'w').write(name)")
    headers = [{"name": "x-ms-blob-content-type", "value": "text/plain"}]
    files = (output("*.out", container.url("w"), path="run 1/", uploadHeaders=headers),)
    outcome = await bench.run(f"python3 {script}", output_files=files)
    assert outcome.failure is None
    assert await container.names() == sorted(f"run 1/{name}" for name in names)
    assert await container.text(f"run 1/{names[0]}") == names[0]
    properties = await container.client.get_blob_client(f"run 1/{names[0]}").get_blob_properties()
    assert properties.content_settings.content_type == "text/plain"


async def test_a_large_file_goes_in_blocks_with_a_checksum(bench: Bench, container: Container) -> None:
    size = 2 * BLOCK + 5
    files = (output("big", container.url("w")),)
    outcome = await bench.run(
        f"sh -c 'head -c {size} /dev/urandom > big; head -c {BLOCK} /dev/zero > exact'",
        output_files=(*files, output("exact", container.url("w"))),
    )
    assert outcome.failure is None
    content = (bench.folder() / "wd" / "big").read_bytes()
    blob = container.client.get_blob_client("big")
    blocks: list[BlobBlock] = (await blob.get_block_list())[0]
    assert [block.size for block in blocks] == [BLOCK, BLOCK, 5]
    settings = (await blob.get_blob_properties()).content_settings
    assert bytes(settings.content_md5 or b"") == hashlib.md5(content).digest()
    assert await (await blob.download_blob()).readall() == content
    assert (await container.client.get_blob_client("exact").get_blob_properties()).size == BLOCK


@pytest.mark.parametrize(("exit_code", "expected"), [(0, ["always", "good"]), (4, ["always", "bad"])])
async def test_the_condition_decides(
    bench: Bench, container: Container, exit_code: int, expected: list[str]
) -> None:
    url = container.url("w")
    files = (
        output("../stdout.txt", url, path="always"),
        output("../stdout.txt", url, "tasksuccess", path="good"),
        output("../stdout.txt", url, "taskfailure", path="bad"),
    )
    outcome = await bench.run(f"sh -c 'exit {exit_code}'", output_files=files)
    assert outcome.exit_code == exit_code
    assert await container.names() == expected


async def test_an_attempt_that_will_be_repeated_uploads_nothing(bench: Bench, container: Container) -> None:
    files = (output("../stdout.txt", container.url("w")),)
    await bench.run("false", output_files=files, final_attempt=False)
    assert await container.names() == []
    await bench.run("no-such-program", output_files=files)
    assert await container.names() == []
    await bench.run("sleep 600", output_files=files, final_attempt=False, max_wall_clock_seconds=0.1)
    assert await container.names() == ["stdout.txt"]


async def test_a_failed_upload_fails_the_task_and_keeps_its_exit_code(
    bench: Bench, container: Container
) -> None:
    cases = {
        container.url("w", name="nowhere"): "FileUploadContainerNotFound",
        container.url("l"): "FileUploadAccessDenied",
        container.url("w", hours=-1): "FileUploadAccessDenied",
        "http://127.0.0.1:1/c": "FileUploadMiscError",
    }
    for url, expected in cases.items():
        files = (output("../stdout.txt", url), output("../stdout.txt", container.url("w"), path=expected))
        outcome = await bench.run("true", output_files=files)
        assert (outcome.exit_code, code(outcome)) == (0, expected)
        assert "sig=" not in str(outcome.failure)
        assert bench.text("fileuploaderr.txt") != ""
    assert await container.names() == sorted(set(cases.values()))  # one failure does not keep the others back
    outcome = await bench.run("false", output_files=(output("../stdout.txt", container.url("l")),))
    assert (outcome.exit_code, code(outcome)) == (1, "FailureExitCode")


async def test_a_container_comes_down_with_its_folders(bench: Bench, container: Container) -> None:
    names = ["data/a.txt", "data/deep/é b%20.txt", "data/q?x#.txt", "datum", "other/x"]
    for name in names:
        await container.client.upload_blob(name, name.encode())
    files = ({"storageContainerUrl": container.url("rl"), "blobPrefix": "dat", "filePath": "in"},)
    outcome = await bench.run("true", resource_files=files)
    assert (outcome.exit_code, outcome.failure) == (0, None)
    folder = bench.folder() / "wd" / "in"
    found = {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}
    assert found == {name: name for name in names if name.startswith("dat")}


@pytest.mark.parametrize(
    ("permission", "name", "expected"),
    [
        ("r", None, "ResourceContainerAccessDenied"),
        ("rl", "nowhere", "ResourceContainerNotFound"),
        ("l", None, "BlobAccessDenied"),
    ],
)
async def test_a_container_that_does_not_come_is_told(
    bench: Bench, container: Container, permission: str, name: str | None, expected: str
) -> None:
    await container.client.upload_blob("a", b"1")
    files = ({"storageContainerUrl": container.url(permission, name=name)},)
    outcome = await bench.run("true", resource_files=files)
    assert (outcome.exit_code, code(outcome)) == (None, expected)
