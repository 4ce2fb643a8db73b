"""Large inputs: told apart before they go up, read once, their MD5 made on the way."""

from __future__ import annotations

import hashlib
import os
from collections.abc import AsyncIterator, Mapping
from functools import partial
from pathlib import Path

import anyio
import pytest
import pytest_asyncio

from orchestrator.accounts import Account
from orchestrator.events import Event, InputStaged
from orchestrator.limits import Limits
from orchestrator.spec import JobSpec, PoolSpec, TaskFactory
from orchestrator.spec.plan import RunPlan, plan_run
from orchestrator.stages.staging import Arrival, Staged, Staging, StagingPlaces

pytestmark = pytest.mark.asyncio(loop_scope="module")

_SIZE = 5 * 1024 * 1024
_LIMIT = 60.0


class Inputs:
    """Stages the files of a folder into one container."""

    def __init__(self, account: Account, folder: Path, container: str) -> None:
        self.container = container
        self.told: list[InputStaged] = []
        self._storage = account.storage
        self._folder = folder

    def write(self, **contents: bytes) -> RunPlan:
        """Write files, and plan a run of a task each."""
        for name, content in contents.items():
            (self._folder / name).write_bytes(content)
        spec = JobSpec(
            id="large",
            base_dir=str(self._folder),
            pool=PoolSpec(id="large"),
            task_factory=TaskFactory(per_file="*", command_line="true", id="t-{index}"),
        )
        return plan_run(spec, "run")

    async def stage(self, plan: RunPlan, before: Staged | None = None) -> dict[int, str]:
        """The blob of each input."""
        places = StagingPlaces(
            input_container=self.container, output_container=self.container, application=None
        )
        staging = Staging(
            plan=plan,
            places=places,
            storage=self._storage,
            publish=self._publish,
            limits=Limits(),
            before=before,
        )
        await staging.open(NoLedger())
        send, receive = anyio.create_memory_object_stream[Arrival](10)
        with anyio.fail_after(_LIMIT):
            async with anyio.create_task_group() as group:
                group.start_soon(partial(staging.bring_inputs, range(len(plan.inputs)), send))
                async with receive:
                    blobs = {index: blob async for index, blob in receive}
        return blobs

    async def there(self) -> Mapping[str, bytes | None]:
        """The MD5 of each blob, by its name."""
        return {blob.name: blob.md5 async for blob in self._storage.list_blobs(self.container)}

    async def _publish(self, *events: Event) -> None:
        self.told.extend(event for event in events if isinstance(event, InputStaged))


class NoLedger:
    """Owes nothing: the containers are the test's."""

    async def owner(self) -> str:
        return "a test"

    async def owe(self, kind: str, resource_id: str) -> None:
        pass

    async def settle(self, kind: str, resource_id: str) -> None:
        pass


@pytest_asyncio.fixture(loop_scope="module")
async def inputs(account: Account, tmp_path: Path) -> AsyncIterator[Inputs]:
    made = Inputs(account, tmp_path, f"c-{os.urandom(6).hex()}")
    await account.storage.create_container(made.container)
    yield made
    await account.storage.delete_container(made.container)


def md5(content: bytes) -> bytes:
    return hashlib.md5(content).digest()


async def test_large_inputs_of_one_content_go_up_once_and_each_tells_its_md5(inputs: Inputs) -> None:
    same, other = os.urandom(_SIZE), os.urandom(_SIZE)
    blobs = await inputs.stage(inputs.write(a=same, b=same, c=other))
    assert blobs[0] == blobs[1] != blobs[2]
    assert {event.name: event.md5 for event in inputs.told} == {
        "a": md5(same).hex(),
        "b": md5(same).hex(),
        "c": md5(other).hex(),
    }
    assert sorted(event.reused for event in inputs.told) == [False, False, True]
    assert await inputs.there() == {blobs[0]: md5(same), blobs[2]: md5(other)}


async def test_large_inputs_that_differ_in_one_byte_only_are_told_apart(inputs: Inputs) -> None:
    first = os.urandom(_SIZE)
    second = first[:1_000_000] + bytes([first[1_000_000] ^ 1]) + first[1_000_001:]
    blobs = await inputs.stage(inputs.write(a=first, b=second, c=second, d=first))
    assert blobs[0] == blobs[3] != blobs[1] == blobs[2]
    assert await inputs.there() == {blobs[0]: md5(first), blobs[1]: md5(second)}


async def test_a_run_that_is_taken_up_finds_the_large_inputs_that_are_there(inputs: Inputs) -> None:
    plan = inputs.write(a=os.urandom(_SIZE), b=os.urandom(_SIZE))
    blobs = await inputs.stage(plan)
    inputs.told.clear()
    assert await inputs.stage(plan, Staged()) == blobs  # its program died before it wrote anything down
    assert [event.reused for event in inputs.told] == [True, True]


async def test_a_large_input_is_found_under_its_own_time_only(inputs: Inputs, tmp_path: Path) -> None:
    content = os.urandom(_SIZE)
    before = await inputs.stage(inputs.write(a=content))
    changed = bytearray(content)
    changed[1_000_000] ^= 1  # in none of the samples
    plan = inputs.write(a=bytes(changed))
    assert (tmp_path / "a").stat().st_size == _SIZE
    after = await inputs.stage(plan, Staged())
    assert (await inputs.there())[after[0]] == md5(bytes(changed))
    assert before != after
