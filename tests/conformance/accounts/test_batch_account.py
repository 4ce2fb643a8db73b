"""The Batch client against the local service: a pool, a job and its tasks from creation to the last trace."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TypeVar

import anyio
import pytest
import pytest_asyncio

from orchestrator.accounts import Account, AddStatus, BatchAccount, Creation, TaskCounts
from orchestrator.accounts.bodies import encode, job_body, pool_body, start_task_body, task_body
from orchestrator.errors import ConflictError, NotFoundError, ServiceError
from orchestrator.spec.pool import PoolSpec
from orchestrator.states import AllocationState, JobState, NodeState, PoolState, TaskState

pytestmark = pytest.mark.asyncio(loop_scope="module")

_POOL = "accounts-pool"

T = TypeVar("T")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def batch(account: Account) -> AsyncIterator[BatchAccount]:
    """The Batch account, with a pool of one node of four slots."""
    opened = account.batch
    images = await opened.supported_images()
    image = next(image for image in images if image.os_type == "linux" and image.verified)
    spec = PoolSpec(id=_POOL, vm_size="standard_d2s_v3", target_dedicated_nodes=1, task_slots_per_node=4)
    body = pool_body(
        spec,
        pool_id=_POOL,
        image=image,
        start_task=start_task_body("/bin/sh -c true", elevated=False),
        metadata={"k": "v"},
    )
    assert await opened.create_pool(body) is Creation.CREATED
    yield opened
    assert await opened.delete_pool(_POOL)
    assert await opened.wait_pool_gone(_POOL)
    assert not await opened.delete_pool(_POOL)


async def eventually(look: Callable[[], Awaitable[T]], wanted: Callable[[T], bool]) -> T:
    """Look again and again until what is seen is wanted; fails after half a minute."""
    with anyio.fail_after(30):
        while True:
            if wanted(seen := await look()):
                return seen
            await anyio.sleep(0.02)


async def counted(batch: BatchAccount, job_id: str, tasks: int) -> TaskCounts:
    """Wait until so many tasks have ended."""
    return await eventually(lambda: batch.task_counts(job_id), lambda counts: counts.completed >= tasks)


@pytest_asyncio.fixture(loop_scope="module")
async def job(batch: BatchAccount) -> AsyncIterator[str]:
    """A job on the pool, which is deleted at the end."""
    job_id = f"job-{time.monotonic_ns()}"
    assert await batch.create_job(job_body(job_id=job_id, pool_id=_POOL, metadata={"run": "r"}))
    yield job_id
    if await batch.delete_job(job_id):
        assert await batch.wait_job_gone(job_id)


def tasks(*commands: str) -> list[bytes]:
    return [
        encode(task_body(task_id=f"t{number}", command_line=command))
        for number, command in enumerate(commands)
    ]


async def test_a_pool_is_seen_as_it_was_asked_for(batch: BatchAccount) -> None:
    pool = await batch.get_pool(_POOL)
    assert (pool.state, pool.target_dedicated_nodes, pool.task_slots_per_node) == (PoolState.ACTIVE, 1, 4)
    assert pool.metadata == (("k", "v"),)
    assert pool.start_task_command == "/bin/sh -c true"
    assert _POOL in [one.id for one in await batch.list_pools()]
    await eventually(
        lambda: batch.get_pool(_POOL), lambda pool: pool.allocation_state is AllocationState.STEADY
    )
    await eventually(
        lambda: batch.list_nodes(_POOL), lambda nodes: {node.state for node in nodes} == {NodeState.IDLE}
    )


async def test_a_pool_of_that_id_is_in_the_way(batch: BatchAccount) -> None:
    with pytest.raises(ConflictError) as raised:
        await batch.create_pool(
            pool_body(
                PoolSpec(id=_POOL, vm_size="standard_d2s_v3", target_dedicated_nodes=1),
                pool_id=_POOL,
                image=(await batch.supported_images())[0],
            )
        )
    assert raised.value.code == "PoolExists"


async def test_a_start_task_is_changed_by_a_patch(batch: BatchAccount) -> None:
    await batch.patch_pool(_POOL, {"startTask": start_task_body("/bin/sh -c 'echo 2'", elevated=False)})
    pool = await batch.get_pool(_POOL)
    assert pool.start_task_command == "/bin/sh -c 'echo 2'"
    assert pool.metadata == (("k", "v"),)
    await batch.patch_pool(_POOL, {"startTask": start_task_body("/bin/sh -c true", elevated=False)})


async def test_tasks_are_added_run_counted_and_listed(batch: BatchAccount, job: str) -> None:
    fates = await batch.add_tasks(job, tasks("/bin/sh -c 'exit 0'", "/bin/sh -c 'exit 3'"))
    assert [(fate.task_id, fate.status) for fate in fates] == [
        ("t0", AddStatus.ACCEPTED),
        ("t1", AddStatus.ACCEPTED),
    ]
    again = await batch.add_tasks(job, tasks("/bin/sh -c 'exit 0'"))
    assert [fate.status for fate in again] == [AddStatus.EXISTS]
    assert await counted(batch, job, 2) == TaskCounts(completed=2, succeeded=1, failed=1)
    listed = [task async for page in batch.list_tasks(job) for task in page]
    assert [(task.id, task.state, task.exit_code, task.succeeded) for task in listed] == [
        ("t0", TaskState.COMPLETED, 0, True),
        ("t1", TaskState.COMPLETED, 3, False),
    ]
    failure = listed[1].failure
    assert failure is not None
    assert (failure.category, failure.code) == ("usererror", "FailureExitCode")
    assert await batch.get_task(job, "t1") == listed[1]


async def test_a_cursor_finds_what_changed_since(batch: BatchAccount, job: str) -> None:
    await batch.add_tasks(job, tasks(*["/bin/sh -c true"] * 5))
    await counted(batch, job, 5)
    everything = [task async for page in batch.list_tasks(job, select=()) for task in page]
    last = max(everything, key=lambda task: task.cursor)
    since = f"stateTransitionTime ge DateTime'{last.cursor}'"
    changed = [task.id async for page in batch.list_tasks(job, filter=since) for task in page]
    assert last.id in changed
    assert len(changed) < 5


async def test_a_refused_task_does_not_refuse_the_others(batch: BatchAccount, job: str) -> None:
    good, bad = tasks("/bin/sh -c true", "")
    try:
        fates = await batch.add_tasks(job, [good, bad])
    except ServiceError as refused:  # the service may refuse the whole request for one bad member
        assert refused.status == 400  # noqa: PT017 - either is right
    else:
        assert [fate.status for fate in fates] == [AddStatus.ACCEPTED, AddStatus.REFUSED]
        assert fates[1].code


async def test_the_files_of_a_task_are_listed_and_read(batch: BatchAccount, job: str) -> None:
    name = "wd/a b;&'ä.txt"
    script = "import sys; print('out'); open(chr(97)+' b;&'+chr(39)+chr(228)+'.txt','w').write('0123456789')"
    await batch.add_tasks(job, tasks(f'python3 -c "{script}"'))
    await counted(batch, job, 1)
    files = {file.name: file.size for file in await batch.list_task_files(job, "t0") if not file.is_directory}
    assert files["stdout.txt"] == 4
    assert files[name] == 10
    whole = [piece async for piece in batch.read_task_file(job, "t0", name, limit=100)]
    assert b"".join(whole) == b"0123456789"
    part = [piece async for piece in batch.read_task_file(job, "t0", name, limit=4)]
    assert b"".join(part) == b"0123"


async def test_a_job_is_patched_found_and_ended(batch: BatchAccount, job: str) -> None:
    assert [one.id for one in await batch.list_jobs(f"startswith(id,'{job}')")] == [job]
    assert job in [one.id for one in await batch.list_jobs()]
    snapshot = await batch.get_job(job)
    assert (snapshot.state, snapshot.pool_id, snapshot.metadata) == (
        JobState.ACTIVE,
        _POOL,
        (("run", "r"),),
    )
    await batch.patch_job(job, {"priority": 7})
    assert await batch.terminate_job(job, "enough")
    snapshot = await eventually(lambda: batch.get_job(job), lambda seen: seen.state is JobState.COMPLETED)
    assert snapshot.terminate_reason == "enough"
    assert not await batch.terminate_job(job, "enough")
    with pytest.raises(ConflictError):
        await batch.add_tasks(job, tasks("true"))


async def test_what_is_not_there_is_not_found(batch: BatchAccount, job: str) -> None:
    for look in (
        batch.get_pool("none"),
        batch.get_job("none"),
        batch.get_task(job, "none"),
        batch.list_nodes("none"),
        batch.task_counts("none"),
        batch.add_tasks("none", tasks("true")),
    ):
        with pytest.raises(NotFoundError):
            await look
    assert await batch.wait_job_gone("none")
