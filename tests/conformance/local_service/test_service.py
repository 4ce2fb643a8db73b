"""Both endpoints start and stop together, and nothing is left of them."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from azure.batch.aio import BatchClient
from azure.batch.models import (
    BatchJobCreateOptions,
    BatchPoolCreateOptions,
    BatchPoolInfo,
    BatchTaskCreateOptions,
    BatchVmImageReference,
    VirtualMachineConfiguration,
)
from azure.core.credentials import AzureNamedKeyCredential
from azure.core.exceptions import HttpResponseError
from azure.storage.blob.aio import BlobServiceClient

from orchestrator.local import LocalService, LocalSettings
from orchestrator.local.state import StateDirectoryInUseError
from tests.conformance.waiting import alive, descendants, until, written_pid

SERVICE = """
import asyncio, sys
from pathlib import Path
from orchestrator.local import LocalService

async def main():
    async with LocalService(state_dir=Path(sys.argv[1])) as service:
        service.settings.write_env_file(Path(sys.argv[2]))
        await asyncio.Event().wait()

asyncio.run(main())
"""


def client(settings: LocalSettings) -> BatchClient:
    credential = AzureNamedKeyCredential(settings.account_name, settings.batch_key)
    return BatchClient(settings.batch_endpoint, credential)


async def start_task(settings: LocalSettings, command_line: str) -> None:
    image = BatchVmImageReference(publisher="canonical", offer="ubuntu-24_04-lts", sku="server")
    machine = VirtualMachineConfiguration(image_reference=image, node_agent_sku_id="batch.node.ubuntu 24.04")
    async with client(settings) as batch:
        await batch.create_pool(
            BatchPoolCreateOptions(
                id="pool",
                vm_size="standard_d2s_v3",
                target_dedicated_nodes=1,
                virtual_machine_configuration=machine,
            )
        )
        await batch.create_job(BatchJobCreateOptions(id="job", pool_info=BatchPoolInfo(pool_id="pool")))
        await batch.create_task("job", BatchTaskCreateOptions(id="task", command_line=command_line))


def entries(folder: Path) -> list[Path]:
    return sorted(folder.iterdir())


def listening(url: str) -> bool:
    port = urlsplit(url).port or 0
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return any(fields[1].endswith(f":{port:04X}") and fields[3] == "0A" for fields in lines)


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path) -> Iterator[Path]:
    """The folder for temporary files, empty and this test's own."""
    before, tempfile.tempdir = tempfile.tempdir, str(tmp_path / "temporary")
    Path(tempfile.tempdir).mkdir()
    yield Path(tempfile.tempdir)
    tempfile.tempdir = before


@pytest.fixture
def ours() -> Callable[[], set[int]]:
    """The processes that the test has started; other tests' services may run for the whole session."""
    others = descendants(os.getpid())
    return lambda: descendants(os.getpid()) - others


async def test_microsofts_clients_run_a_task_and_read_its_output(
    temporary: Path, ours: Callable[[], set[int]]
) -> None:
    async with LocalService() as service:
        settings = service.settings
        await start_task(settings, "sh -c 'echo hello'")
        async with client(settings) as batch:
            async with asyncio.timeout(20):
                while (await batch.get_task("job", "task")).state != "completed":  # noqa: ASYNC110  # it can't be waited for
                    await asyncio.sleep(0.05)
            parts = [part async for part in await batch.download_task_file("job", "task", "stdout.txt")]
        assert b"".join(parts) == b"hello\n"
        async with BlobServiceClient.from_connection_string(settings.storage_connection_string) as storage:
            await storage.create_container("box")
        assert listening(settings.batch_endpoint)
        assert listening(settings.blob_endpoint)
        assert len(entries(temporary)) == 1
        pids = ours()
    assert not listening(settings.batch_endpoint)
    assert not listening(settings.blob_endpoint)
    assert not entries(temporary)
    assert not any(map(alive, pids))
    with pytest.raises(RuntimeError, match="not running"):
        _ = service.settings


async def test_it_may_be_entered_and_left_in_different_tasks(ours: Callable[[], set[int]]) -> None:
    service = LocalService()
    await asyncio.create_task(service.__aenter__())
    assert listening(service.settings.batch_endpoint)
    await asyncio.create_task(service.__aexit__(None, None, None))
    await until(lambda: ours() == set(), "no process is left")


async def test_a_state_directory_keeps_keys_and_blobs_and_serves_one_at_a_time(tmp_path: Path) -> None:
    async with LocalService(state_dir=tmp_path) as service:
        first = service.settings
        async with BlobServiceClient.from_connection_string(first.storage_connection_string) as storage:
            await storage.create_container("kept")
        with pytest.raises(StateDirectoryInUseError, match=str(os.getpid())):
            async with LocalService(state_dir=tmp_path):
                pass
        assert listening(first.batch_endpoint)
    async with LocalService(state_dir=tmp_path) as service:
        # The same addresses, too: kept tasks may hold some of them.
        assert service.settings == first
        connection_string = service.settings.storage_connection_string
        async with BlobServiceClient.from_connection_string(connection_string) as storage:
            assert [container.name async for container in storage.list_containers()] == ["kept"]


async def test_quotas_hold_from_the_start() -> None:
    async with LocalService(pool_quota=0, job_quota=1) as service, client(service.settings) as batch:
        job = BatchJobCreateOptions(id="j", pool_info=BatchPoolInfo(pool_id="p"))
        await batch.create_job(job)
        with pytest.raises(HttpResponseError, match="ActiveJobAndScheduleQuotaReached"):
            await batch.create_job(BatchJobCreateOptions(id="k", pool_info=BatchPoolInfo(pool_id="p")))
        image = BatchVmImageReference(publisher="canonical", offer="ubuntu-24_04-lts", sku="server")
        machine = VirtualMachineConfiguration(
            image_reference=image, node_agent_sku_id="batch.node.ubuntu 24.04"
        )
        pool = BatchPoolCreateOptions(
            id="p", vm_size="Standard_D2s_v3", virtual_machine_configuration=machine
        )
        with pytest.raises(HttpResponseError, match="PoolQuotaReached"):
            await batch.create_pool(pool)


async def test_a_port_that_is_taken_is_told_and_leaves_nothing(
    temporary: Path, ours: Callable[[], set[int]]
) -> None:
    async with LocalService() as other:
        port = urlsplit(other.settings.batch_endpoint).port or 0
        before = entries(temporary)
        running = ours()
        with pytest.raises(OSError, match=str(port)):
            async with LocalService(batch_port=port):
                pass
        assert entries(temporary) == before
        # What asks for the version of Node.js runs in a thread, which a cancelled start does not wait for.
        await until(lambda: ours() == running, "no process is left")


@pytest.mark.parametrize("turns", [0, 1, 2, 3, 5, 10, 100, 1000, 3000])
async def test_a_start_that_is_cancelled_anywhere_leaves_nothing(
    temporary: Path, ours: Callable[[], set[int]], turns: int
) -> None:
    service = LocalService()
    starting = asyncio.create_task(service.__aenter__())
    for _ in range(turns):
        await asyncio.sleep(0)
    starting.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await starting
        await service.__aexit__(None, None, None)
    assert not entries(temporary)
    await until(lambda: ours() == set(), "no process is left")


async def test_a_cancelled_end_goes_on_to_the_end(temporary: Path, ours: Callable[[], set[int]]) -> None:
    service = await LocalService().__aenter__()
    pids = ours()
    ending = asyncio.create_task(service.__aexit__(None, None, None))
    await asyncio.sleep(0)
    ending.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await ending
    await until(lambda: not any(map(alive, pids)) and not entries(temporary), "all is gone")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
async def test_whatever_ends_the_service_no_process_is_left(tmp_path: Path, number: signal.Signals) -> None:
    env_file = tmp_path / "env"
    service = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", SERVICE, str(tmp_path / "state"), str(env_file)),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        await until(env_file.exists, "the service is ready")
        settings = LocalSettings.from_environment(_environment(env_file))
        pid_file = tmp_path / "pid"
        hidden = f'(setsid sh -c "echo \\$\\$ > {pid_file}; exec sleep 600" &)'
        await start_task(settings, f"bash -c '{hidden}; sleep 600'")
        await written_pid(pid_file)
        pids = descendants(service.pid)
        assert len(pids) >= 3
        service.send_signal(number)
        await service.wait()
        await until(lambda: not any(map(alive, pids)), f"{pids} are dead")
    finally:
        if service.returncode is None:
            service.kill()
            await service.wait()
    async with LocalService(state_dir=tmp_path / "state") as again:
        assert again.settings == settings
        async with client(again.settings) as batch:
            assert [task.id async for task in batch.list_tasks("job")] == ["task"]


def _environment(path: Path) -> dict[str, str]:
    return dict(line.split("=", 1) for line in path.read_text().splitlines())
