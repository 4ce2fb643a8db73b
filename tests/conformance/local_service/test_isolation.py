"""A service that tells users apart: what the wire says decides who a task is, and nothing else is open."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from orchestrator.local import LocalService
from orchestrator.local.batch.isolation import IsolationError
from tests.conformance.clients import RawClient, job_body, pool_body

NOT_ROOT = """
import asyncio
from orchestrator.local import LocalService

async def main():
    async with LocalService(isolate_users=True):
        pass

try:
    asyncio.run(main())
except RuntimeError as refused:
    print(type(refused).__name__, refused)
"""

root_only = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give tasks users of their own")


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder that everybody may enter, unlike pytest's."""
    folder = Path(tempfile.mkdtemp(prefix="isolation-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def place_for_all(place: Path) -> Path:
    """The same, where everybody may write too."""
    place.chmod(0o777)
    return place


@pytest.fixture
async def raw(place: Path) -> AsyncIterator[RawClient]:
    """Of a service with one idle node of four slots and a job."""
    async with LocalService(state_dir=place / "state", isolate_users=True, tls=True) as service:
        settings = service.settings
        context = aiohttp.TCPConnector(ssl=_trusting(settings.ca_file))
        async with aiohttp.ClientSession(connector=context) as session:
            client = RawClient(session, settings.batch_endpoint, key=settings.batch_key)
            accounts = [
                {"name": "ann", "password": "-", "elevationLevel": "nonadmin"},
                {"name": "boss", "password": "-", "elevationLevel": "admin"},
            ]
            start = {"commandLine": "sh -c 'echo tool > tool'", "waitForSuccess": True}
            body = pool_body(
                targetDedicatedNodes=1, taskSlotsPerNode=4, userAccounts=accounts, startTask=start
            )
            await client.post("/pools", body)
            await client.post("/jobs", job_body(jobPreparationTask={"commandLine": "sh -c 'echo prep > it'"}))
            yield client


def _trusting(authority: Path | None) -> Any:
    import ssl  # noqa: PLC0415

    return ssl.create_default_context(cafile=authority)


async def run(raw: RawClient, task: str, command: str, identity: dict[str, Any] | None = None) -> str:
    body: dict[str, Any] = {"id": task, "commandLine": command}
    if identity is not None:
        body["userIdentity"] = identity
    await raw.post("/jobs/j/tasks", body)
    ended = await raw.task_in("completed", task)
    assert ended["executionInfo"]["exitCode"] == 0, ended
    return await raw.stdout(task)


def auto(scope: str, level: str) -> dict[str, Any]:
    return {"autoUser": {"scope": scope, "elevationLevel": level}}


@root_only
async def test_user_identity_decides_who_a_task_is(raw: RawClient) -> None:
    pool = await run(raw, "default", "id -u")
    assert int(pool) >= 60_000
    assert await run(raw, "pool", "id -u", auto("pool", "nonadmin")) == pool
    own = {await run(raw, f"own-{number}", "id -u", auto("task", "nonadmin")) for number in range(2)}
    named = await run(raw, "named", "id -u", {"username": "ann"})
    assert len({pool, named} | own) == 4
    for task, identity in (
        ("a", auto("pool", "admin")),
        ("b", auto("task", "admin")),
        ("c", {"username": "boss"}),
    ):
        assert await run(raw, task, "id -u", identity) == "0\n"


@root_only
async def test_every_task_reads_what_start_and_preparation_task_left(raw: RawClient) -> None:
    script = "sh -c 'cat $AZ_BATCH_NODE_STARTUP_WORKING_DIR/tool $AZ_BATCH_JOB_PREP_WORKING_DIR/it'"
    for scope in ("pool", "task"):
        assert await run(raw, scope, script, auto(scope, "nonadmin")) == "tool\nprep\n"


@root_only
async def test_a_task_can_read_nothing_of_the_services_own(raw: RawClient, place: Path) -> None:
    nodes = place / "state" / "batch" / "nodes"
    files = [path for path in (place / "state").rglob("*") if path.is_file() and nodes not in path.parents]
    assert {"keys.json", "state.sqlite", "ca.key"} <= {path.name for path in files}
    look = f"sh -c 'for file in {' '.join(map(str, files))}; do test -r $file && echo $file; done; true'"
    found = (await run(raw, "look", look, auto("pool", "nonadmin"))).split()
    assert {Path(name).name for name in found} == {"ca.pem", "server.pem", "bundle.pem"}


@root_only
async def test_a_folder_that_others_can_not_enter_is_refused_by_name(place: Path) -> None:
    (place / "closed").mkdir(mode=0o700)
    with pytest.raises(IsolationError, match="closed"):
        async with LocalService(state_dir=place / "closed" / "state", isolate_users=True):
            pass


async def test_without_root_it_is_refused_at_the_start(place_for_all: Path) -> None:
    environment = {"PYTHONPATH": os.pathsep.join(sys.path), "TMPDIR": str(place_for_all), "PATH": os.defpath}
    code = "import os\nif os.geteuid() == 0: os.setgid(65534); os.setuid(65534)\n"
    # Everything is imported before root's rights are gone: root's own files may be closed to others.
    program = NOT_ROOT.replace(
        "async def main", f"import orchestrator.local.service\n{code}\nasync def main", 1
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, stdout=subprocess.PIPE, env=environment
    )
    told, _ = await process.communicate()
    assert "IsolationError --isolate-users needs root" in told.decode()
