"""The least that could drive a job: pool and job by the SDK, the rest aiohttp and dictionaries, much at once.

No journal, no events, no retries, nothing told of any task, and nothing would be taken up again. What comes
is checked by its MD5, written beside and renamed, as ours is. Its clock starts when its clients are there, as
the peer's does; ours counts opening the account and the journal.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
import time
from base64 import b64encode
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
from azure.storage.blob import BlobServiceClient, ContainerSasPermissions, generate_container_sas
from yarl import URL

from tests.bench import sequential
from tests.conformance.clients import RawClient

_UPLOADS = 8
_DOWNLOADS = 16
_CHUNK = 100
_PAUSE = 0.2
_LIMIT = 600
_OVERLAP = timedelta(seconds=1)
_VERSION = {"x-ms-version": "2023-11-03"}
_LISTED = re.compile(r"<Name>(.*?)</Name>.*?<Content-Length>(\d+)</Content-Length>", re.DOTALL)


async def run(
    settings: Mapping[str, str],
    files: list[Path],
    results: Path,
    *,
    name: str,
    slots: int,
    command: str,
    output: str,
) -> float:
    """Do the whole job and clean up.

    Args:
        settings: as for `sequential.run`, like the rest.

    Returns:
        Seconds until the last output was on this disk.
    """
    with sequential.opened(settings, name=name, slots=slots, command=command, output=output) as job:
        async with aiohttp.ClientSession() as session:
            client = RawClient(
                session, settings["AZURE_BATCH_ENDPOINT"], key=settings["AZURE_BATCH_ACCESS_KEY"]
            )
            driver = _Driver(client, settings, results, name=name, command=command, output=output)
            began = time.monotonic()
            await asyncio.gather(asyncio.to_thread(job.create_containers), asyncio.to_thread(job.create))
            try:
                async with asyncio.timeout(_LIMIT), asyncio.TaskGroup() as group:
                    group.create_task(driver.submit(files))
                    group.create_task(driver.follow(len(files)))
                taken = time.monotonic() - began
            finally:
                await asyncio.to_thread(job.clean_up)
    return taken


class _Driver:
    def __init__(
        self,
        client: RawClient,
        settings: Mapping[str, str],
        results: Path,
        *,
        name: str,
        command: str,
        output: str,
    ) -> None:
        self._client = client
        self._session = client.session
        self._results = results
        self._name = name
        self._command = command
        self._output = output
        storage = BlobServiceClient.from_connection_string(settings["AZURE_STORAGE_CONNECTION_STRING"])
        self._places = {kind: _address(storage, f"{kind}-{name}") for kind in ("in", "out")}

    async def submit(self, files: list[Path]) -> None:
        """Upload the inputs, and add their tasks: those whose inputs came while the last were being added."""
        waiting = iter(enumerate(files))
        there: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

        async def upload() -> None:
            for index, file in waiting:
                await self._put(file)
                there.put_nowait(self._task(index, file))

        async with asyncio.TaskGroup() as group:
            for _ in range(_UPLOADS):
                group.create_task(upload())
            left = len(files)
            while left:
                tasks = [await there.get()]
                while len(tasks) < _CHUNK and not there.empty():
                    tasks.append(there.get_nowait())
                left -= len(tasks)
                answer = await self._client.post(f"/jobs/{self._name}/addtaskcollection", {"value": tasks})
                assert all(one["status"].lower() == "success" for one in answer.json()["value"])

    async def follow(self, count: int) -> None:
        """Look for tasks that ended, and bring the outputs of each."""
        seen: set[str] = set()
        newest = ""
        places = asyncio.Semaphore(_DOWNLOADS)

        async def bring(task_id: str) -> None:
            async with places:
                await self._bring(task_id)

        async with asyncio.TaskGroup() as group:
            while len(seen) < count:
                await asyncio.sleep(_PAUSE)
                query = "$select=id,state,stateTransitionTime&$filter=" + _ended_since(newest)
                for task in (await self._client.get(f"/jobs/{self._name}/tasks", query))["value"]:
                    newest = max(newest, task["stateTransitionTime"])
                    if task["id"] not in seen:
                        seen.add(task["id"])
                        group.create_task(bring(task["id"]))

    async def _put(self, file: Path) -> None:
        base, query = self._places["in"]
        data = file.read_bytes()  # noqa: ASYNC240  # the least
        md5 = b64encode(hashlib.md5(data).digest()).decode()
        headers = {**_VERSION, "x-ms-blob-type": "BlockBlob", "Content-MD5": md5}
        url = URL(f"{base}/{file.name}?{query}", encoded=True)
        async with self._session.put(url, data=data, headers=headers) as answer:
            assert answer.status == 201, await answer.text()

    def _task(self, index: int, file: Path) -> dict[str, Any]:
        base, query = self._places["in"]
        to, write = self._places["out"]
        container = {"containerUrl": f"{to}?{write}", "path": f"t-{index}"}
        return {
            "id": f"t-{index}",
            "commandLine": f"/bin/sh -c '{self._command.replace('{file}', file.name)}'",
            "resourceFiles": [{"httpUrl": f"{base}/{file.name}?{query}", "filePath": file.name}],
            "outputFiles": [
                {
                    "filePattern": pattern,
                    "destination": {"container": container},
                    "uploadOptions": {"uploadCondition": "taskcompletion"},
                }
                for pattern in (self._output, "../std*.txt")
            ],
        }

    async def _bring(self, task_id: str) -> None:
        base, query = self._places["out"]
        address = URL(f"{base}?restype=container&comp=list&prefix={task_id}%2F&{query}", encoded=True)
        async with self._session.get(address, headers=_VERSION) as answer:
            assert answer.status == 200, await answer.text()
            listed = _LISTED.findall(await answer.text())
        for name, size in listed:
            data = b""
            if size != "0":
                async with self._session.get(
                    URL(f"{base}/{name}?{query}", encoded=True), headers=_VERSION
                ) as answer:
                    data = await answer.read()
                    assert answer.headers["Content-MD5"] == b64encode(hashlib.md5(data).digest()).decode()
            target = self._results / name
            target.parent.mkdir(parents=True, exist_ok=True)
            beside = target.with_suffix(".part")
            beside.write_bytes(data)
            beside.rename(target)


def _ended_since(newest: str) -> str:
    wanted = "state eq 'completed'"
    if newest:
        since = datetime.fromisoformat(newest) - _OVERLAP
        moment = since.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        wanted += f" and stateTransitionTime ge DateTime'{moment}'"
    return wanted.replace(" ", "%20")


def _address(storage: BlobServiceClient, container: str) -> tuple[str, str]:
    """Of a container, and the query that opens it."""
    query = generate_container_sas(
        str(storage.account_name),
        container,
        account_key=storage.credential.account_key,
        permission=ContainerSasPermissions(read=True, create=True, write=True, list=True),
        expiry=datetime.now(UTC) + timedelta(hours=1),
    )
    return storage.get_container_client(container).url, query
