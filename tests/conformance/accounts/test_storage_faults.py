"""The storage client while storage misbehaves: a conflict is what its code says, and nothing else."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator

import anyio
import anyio.lowlevel
import pytest

from orchestrator.accounts import Account, StorageAccount
from orchestrator.errors import ConflictError, ThrottledError, UnreachableError
from orchestrator.limits import Limits
from tests.conformance.accounts.batch_stub import DROP, Reply, Seen
from tests.conformance.accounts.storage_stub import StorageStub, refusal

_LIMITS = Limits(
    attempts=3, backoff=0.01, backoff_limit=0.02, deletion_timeout=0.5, deletion_poll_interval=0.01
)


@pytest.fixture
async def stub() -> AsyncIterator[StorageStub]:
    served = StorageStub()
    await served.start()
    yield served
    await served.stop()


@pytest.fixture
async def storage(stub: StorageStub) -> AsyncIterator[StorageAccount]:
    account = Account(stub.storage_settings, _LIMITS)
    await account.open()
    yield account.storage
    await account.close()


async def test_a_name_that_is_being_freed_is_waited_for(stub: StorageStub, storage: StorageAccount) -> None:
    busy = refusal(409, "ContainerBeingDeleted")
    stub.says(busy, busy, busy, Reply(201))
    assert await storage.create_container("c", metadata={"run": "r"}) is True
    assert len(stub.seen) == 4


async def test_a_name_that_is_never_freed_is_told(stub: StorageStub, storage: StorageAccount) -> None:
    stub.says(refusal(409, "ContainerBeingDeleted"))
    with pytest.raises(ConflictError) as raised:
        await storage.create_container("c")
    assert raised.value.code == "ContainerBeingDeleted"


async def test_a_full_store_is_not_taken_for_a_container_that_is_there(
    stub: StorageStub, storage: StorageAccount
) -> None:
    stub.says(refusal(409, "MemoryExtentStoreAtSizeLimit"))
    with pytest.raises(ConflictError) as raised:
        await storage.create_container("c")
    assert raised.value.code == "MemoryExtentStoreAtSizeLimit"
    with pytest.raises(ConflictError):
        await storage.upload_bytes("c", "b", b"content")


async def test_a_container_that_is_there_after_a_lost_answer_is_ours(
    stub: StorageStub, storage: StorageAccount
) -> None:
    stub.says(DROP, DROP, refusal(409, "ContainerAlreadyExists"))
    assert await storage.create_container("c") is True
    stub.says(refusal(409, "ContainerAlreadyExists"))
    assert await storage.create_container("c") is False


async def test_a_cancellation_waits_until_it_is_known_what_became_of_a_container(
    stub: StorageStub, storage: StorageAccount
) -> None:
    """A request that is given up may be carried out after clean-up has found nothing to delete."""
    created = False
    with anyio.CancelScope() as scope:

        def cancel_and_answer(_: Seen) -> Reply:
            scope.cancel()
            return Reply(201)

        stub.says(cancel_and_answer)
        created = await storage.create_container("c")
        await anyio.lowlevel.checkpoint()
    assert scope.cancelled_caught
    assert created


async def test_a_deletion_under_way_is_enough(stub: StorageStub, storage: StorageAccount) -> None:
    stub.says(refusal(409, "ContainerBeingDeleted"))
    assert await storage.delete_container("c") is True
    stub.says(refusal(404, "ContainerNotFound"))
    assert await storage.delete_container("c") is False


async def test_a_throttled_upload_waits_and_goes_on(stub: StorageStub, storage: StorageAccount) -> None:
    stub.says(refusal(503, "ServerBusy", Retry_After="0.2"), Reply(201))
    started = time.monotonic()
    await storage.upload_bytes("c", "b", b"content")
    assert time.monotonic() - started >= 0.2
    assert [one.body for one in stub.seen] == [b"content", b"content"]


async def test_a_large_upload_sends_a_block_again_and_not_the_rest(
    stub: StorageStub, storage: StorageAccount
) -> None:
    stub.says(refusal(500, "OperationTimedOut"), Reply(201))
    await storage.upload_bytes("c", "b", b"x" * (9 * 1024 * 1024))
    blocks = [one.query["blockid"] for one in stub.seen if one.query.get("comp") == "block"]
    assert len(set(blocks)) == 3
    assert len(blocks) == 4
    assert [one.query.get("comp") for one in stub.seen][-1] == "blocklist"


async def test_storage_that_stays_away_is_told(stub: StorageStub, storage: StorageAccount) -> None:
    stub.says(refusal(503, "ServerBusy"))
    with pytest.raises(ThrottledError):
        await storage.blob("c", "b")
    stub.says(DROP)
    with pytest.raises(UnreachableError) as raised:
        await storage.upload_bytes("c", "b", b"content")
    assert raised.value.attempts == _LIMITS.attempts
