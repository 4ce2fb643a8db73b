"""The blob endpoint answers Microsoft's client, survives its server's death, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import base64
import os
import signal
import socket
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from azure.core.exceptions import HttpResponseError
from azure.storage.blob import generate_container_sas
from azure.storage.blob.aio import BlobServiceClient, ContainerClient

from orchestrator.local.blob.azurite_process import AzuriteProcess
from orchestrator.local.blob.endpoint import BlobEndpoint
from orchestrator.local.blob.install import ensure_azurite
from tests.conformance.waiting import alive, running_with, until

SERVICE = """
import asyncio, sys
from pathlib import Path
from azure.storage.blob.aio import BlobServiceClient
from orchestrator.local.blob.endpoint import BlobEndpoint

async def main():
    endpoint = BlobEndpoint(account_name="local", account_key=sys.argv[2], data_dir=Path(sys.argv[1]))
    await endpoint.start()
    async with BlobServiceClient.from_connection_string(endpoint.connection_string) as service:
        await service.create_container("kept")
        await service.get_container_client("kept").upload_blob("a", b"content")
        sys.stderr.write("stored\\n")
        sys.stderr.flush()
        await asyncio.Event().wait()

asyncio.run(main())
"""


async def read(endpoint: BlobEndpoint, container: str, name: str) -> bytes:
    async with BlobServiceClient.from_connection_string(endpoint.connection_string) as service:
        return await (await service.get_blob_client(container, name).download_blob()).readall()


async def test_microsofts_client_works_with_the_connection_string_and_with_a_sas(
    endpoint: BlobEndpoint, account_key: str
) -> None:
    async with BlobServiceClient.from_connection_string(endpoint.connection_string) as service:
        container = await service.create_container("box")
        await container.upload_blob("a/b é.txt", b"content")
    expiry = datetime.now(UTC) + timedelta(hours=1)
    sas = generate_container_sas("local", "box", account_key=account_key, permission="rl", expiry=expiry)
    async with ContainerClient.from_container_url(f"{endpoint.url}/box?{sas}") as container:
        assert [name async for name in container.list_blob_names()] == ["a/b é.txt"]
        assert await (await container.download_blob("a/b é.txt")).readall() == b"content"
        with pytest.raises(HttpResponseError) as refused:
            await container.upload_blob("c", b"")
        assert refused.value.status_code == 403


async def test_a_wrong_key_is_refused(endpoint: BlobEndpoint, account_key: str) -> None:
    other = base64.b64encode(bytes(64)).decode()
    connection_string = endpoint.connection_string.replace(account_key, other)
    async with BlobServiceClient.from_connection_string(connection_string) as service:
        with pytest.raises(HttpResponseError) as refused:
            await service.create_container("box")
        assert refused.value.status_code == 403


async def test_it_listens_on_loopback_only(endpoint: BlobEndpoint) -> None:
    listening = {line.split()[1] for line in Path("/proc/net/tcp").read_text().splitlines()[1:]}  # noqa: ASYNC240  # no disk
    addresses = {entry.partition(":")[0] for entry in listening if entry.endswith(f":{endpoint.port:04X}")}
    assert addresses == {"0100007F"}


async def test_the_key_is_on_no_command_line(endpoint: BlobEndpoint, account_key: str) -> None:
    assert endpoint.pid is not None
    assert account_key not in command_line(endpoint.pid)


async def test_a_killed_server_is_restarted_on_its_port(endpoint: BlobEndpoint) -> None:
    old, url = endpoint.pid, endpoint.url
    assert old is not None
    os.kill(old, signal.SIGKILL)
    await until(lambda: endpoint.pid not in {None, old}, "another server runs")
    assert endpoint.url == url
    async with BlobServiceClient.from_connection_string(endpoint.connection_string) as service:
        await service.create_container("box")
    assert not endpoint.failed.is_set()


async def test_a_server_that_keeps_dying_is_given_up(endpoint: BlobEndpoint) -> None:
    killed: set[int] = set()

    def kill_the_next() -> bool:
        if endpoint.pid is not None and endpoint.pid not in killed:
            killed.add(endpoint.pid)
            os.kill(endpoint.pid, signal.SIGKILL)
        return endpoint.failed.is_set()

    await until(kill_the_next, "it is given up")
    assert len(killed) == 5


async def test_data_survives_a_stop_even_with_connections_open(tmp_path: Path, account_key: str) -> None:
    first = BlobEndpoint(account_name="local", account_key=account_key, data_dir=tmp_path)
    await first.start()
    pid = first.pid
    assert pid is not None
    async with BlobServiceClient.from_connection_string(first.connection_string) as service:
        await service.create_container("kept")
        await service.get_container_client("kept").upload_blob("a", b"content")
        async with asyncio.timeout(3):  # less than what the watchdog would wait
            await first.close()
    assert not alive(pid)
    await first.close()
    again = BlobEndpoint(account_name="local", account_key=account_key, data_dir=tmp_path, port=first.port)
    await again.start()
    assert again.url == first.url
    assert await read(again, "kept", "a") == b"content"
    await again.close()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
async def test_the_server_writes_its_data_and_ends_when_the_service_dies(
    tmp_path: Path, account_key: str, number: signal.Signals
) -> None:
    service = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", SERVICE, str(tmp_path / "blob"), account_key),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    try:
        assert service.stderr is not None
        async with asyncio.timeout(20):
            await service.stderr.readuntil(b"stored\n")
        assert len(running_with(str(tmp_path / "blob"))) == 2
        service.send_signal(number)
        await service.communicate()
        await until(lambda: not running_with(str(tmp_path / "blob")), "the server is gone")
    finally:
        if service.returncode is None:
            service.kill()
            await service.communicate()
    again = BlobEndpoint(account_name="local", account_key=account_key, data_dir=tmp_path / "blob")
    await again.start()
    assert await read(again, "kept", "a") == b"content"
    await again.close()


async def test_a_taken_port_is_told_with_the_servers_words(tmp_path: Path, account_key: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        endpoint = BlobEndpoint(account_name="local", account_key=account_key, data_dir=tmp_path, port=port)
        with pytest.raises(RuntimeError, match="EADDRINUSE"):
            await endpoint.start()
        await endpoint.close()
    assert not running_with(str(tmp_path))


async def test_a_start_that_takes_too_long_is_told_and_leaves_nothing(
    tmp_path: Path, account_key: str
) -> None:
    azurite = ensure_azurite()
    with pytest.raises(RuntimeError, match=r"did not answer within 0\.05 s"):
        await AzuriteProcess.start(
            azurite, account=("local", account_key), data_dir=tmp_path, port=0, limit=0.05
        )
    assert not running_with(str(tmp_path))


@pytest.mark.parametrize("turns", [1, 5, 20, 100, 1000])
async def test_a_start_that_is_cancelled_anywhere_leaves_no_process(
    tmp_path: Path, account_key: str, turns: int
) -> None:
    endpoint = BlobEndpoint(account_name="local", account_key=account_key, data_dir=tmp_path)
    starting = asyncio.create_task(endpoint.start())
    for _ in range(turns):
        await asyncio.sleep(0)
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    await endpoint.close()
    assert not running_with(str(tmp_path))


def command_line(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_text()
