"""Large inputs: told apart by content before they go up, their MD5 made on the way."""

from __future__ import annotations

import hashlib
import os
from functools import partial
from pathlib import Path

import anyio
import pytest

from orchestrator.accounts import Account
from orchestrator.events import Event, InputStaged
from orchestrator.limits import Limits
from orchestrator.spec import JobSpec, PoolSpec, TaskFactory
from orchestrator.spec.plan import plan_run
from orchestrator.stages.package import digest_file
from orchestrator.stages.staging import Arrival, Staging, StagingPlaces

pytestmark = pytest.mark.asyncio(loop_scope="module")

_SIZE = 5 * 1024 * 1024
_LIMIT = 60.0


async def test_the_md5_of_a_large_file_is_left_to_its_upload(tmp_path: Path) -> None:
    content = os.urandom(_SIZE)
    (tmp_path / "large").write_bytes(content)
    (tmp_path / "small").write_bytes(content[:4096])
    large, kept = await digest_file(tmp_path / "large")
    assert (large.size, large.md5, large.sha256) == (_SIZE, None, hashlib.sha256(content).hexdigest())
    assert kept is None
    small, _ = await digest_file(tmp_path / "small")
    assert small.md5 == hashlib.md5(content[:4096]).digest()


async def test_large_inputs_of_one_content_go_up_once_and_each_tells_its_md5(
    account: Account, tmp_path: Path
) -> None:
    same, other = os.urandom(_SIZE), os.urandom(_SIZE)
    for name, content in (("a", same), ("b", same), ("c", other)):
        (tmp_path / name).write_bytes(content)
    spec = JobSpec(
        id="large",
        base_dir=str(tmp_path),
        pool=PoolSpec(id="large"),
        task_factory=TaskFactory(per_file="*", command_line="true", id="t-{index}"),
    )
    container = f"c-{os.urandom(6).hex()}"
    await account.storage.create_container(container)
    told: list[InputStaged] = []

    async def publish(*events: Event) -> None:
        told.extend(event for event in events if isinstance(event, InputStaged))

    staging = Staging(
        plan=plan_run(spec, "run"),
        places=StagingPlaces(input_container=container, output_container=container, application=None),
        storage=account.storage,
        publish=publish,
        limits=Limits(),
    )
    send, receive = anyio.create_memory_object_stream[Arrival](10)
    with anyio.fail_after(_LIMIT):
        async with anyio.create_task_group() as group:
            group.start_soon(partial(staging.bring_inputs, range(3), send))
            async with receive:
                blobs = {index: blob async for index, blob in receive}
    assert blobs[0] == blobs[1] != blobs[2]
    assert {event.name: event.md5 for event in told} == {
        "a": hashlib.md5(same).hexdigest(),
        "b": hashlib.md5(same).hexdigest(),
        "c": hashlib.md5(other).hexdigest(),
    }
    assert sorted(event.reused for event in told) == [False, False, True]
    found = {blob.name: blob.md5 async for blob in account.storage.list_blobs(container)}
    assert found == {blobs[0]: hashlib.md5(same).digest(), blobs[2]: hashlib.md5(other).digest()}
    await account.storage.delete_container(container)
