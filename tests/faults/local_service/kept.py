"""A Batch endpoint in a process of its own that keeps its state: it can be killed and started again."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import anyio

from tests.conformance.clients import KEY, LIMIT, RawClient

_PROGRAM = """
import asyncio, signal, sys
from pathlib import Path
from orchestrator.local.batch.endpoint import BatchEndpoint
from orchestrator.local.batch.node import NodeProcess

async def main():
    folder, key = Path(sys.argv[1]), sys.argv[2]
    endpoint = BatchEndpoint(account_name="local", account_key=key, data_dir=folder,
        start_node=NodeProcess.start, state_file=folder / "state.sqlite")
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    await endpoint.start()
    print("listening", endpoint.url, flush=True)
    await ended.wait()
    await endpoint.close()

asyncio.run(main())
"""


class Kept:
    """One life of it.

    Args:
        process: that serves.
        client: signs for it.
    """

    def __init__(self, process: asyncio.subprocess.Process, client: RawClient) -> None:
        self.process = process
        self.client = client

    @property
    def pid(self) -> int:
        """Of the process."""
        return self.process.pid

    async def end(self, number: signal.Signals = signal.SIGKILL) -> None:
        """Send a signal and wait for the death."""
        if self.process.returncode is None:
            self.process.send_signal(number)
            with anyio.fail_after(LIMIT):
                await self.process.wait()


@asynccontextmanager
async def kept(folder: Path) -> AsyncIterator[Kept]:
    """Start it on a folder; it is killed at the end, if it still lives."""
    log = folder.with_suffix(".log")
    with log.open("ab") as stderr:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", _PROGRAM, str(folder), KEY), stdout=subprocess.PIPE, stderr=stderr
        )
    try:
        assert process.stdout is not None
        with anyio.fail_after(LIMIT):
            # The service logs to the same place.
            while not (line := await process.stdout.readline()).startswith(b"listening"):
                assert line, f"it did not start: {log.read_text()}"
        reader = asyncio.create_task(_drain(process.stdout))
        async with aiohttp.ClientSession() as session:
            yield Kept(process, RawClient(session, line.split()[1].decode()))
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
    await reader


async def _drain(stream: asyncio.StreamReader) -> None:
    while await stream.read(65536):
        pass


async def all_tasks(client: RawClient, job: str = "j") -> dict[str, dict[str, object]]:
    """Read all tasks of a job, page by page, without what names the port."""
    found: dict[str, dict[str, object]] = {}
    query = ""
    while True:
        page = await client.get(f"/jobs/{job}/tasks", query)
        for task in page["value"]:
            found[task["id"]] = without_port(task, client.url)
        if "odata.nextLink" not in page:
            return found
        query = next(
            part
            for part in page["odata.nextLink"].partition("?")[2].split("&")
            if part.startswith("$skiptoken")
        )


def without_port(value: dict[str, object], url: str) -> dict[str, object]:
    """Give what does not differ between two lives on different ports."""
    return {
        name: without_port(one, url)
        if isinstance(one, dict)
        else one.removeprefix(url)
        if isinstance(one, str)
        else one
        for name, one in value.items()
        if name != "odata.metadata"
    }
