"""The Batch client while service or network misbehave: nothing is lost, nothing is guessed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import aclosing

import anyio
import msgspec
import pytest

from orchestrator.accounts import Account, AddStatus, BatchAccount, Creation
from orchestrator.errors import (
    ConflictError,
    NotFoundError,
    NotOpenError,
    ServiceError,
    ThrottledError,
    UnreachableError,
)
from orchestrator.limits import Limits
from tests.conformance.accounts.batch_stub import CUT, DROP, HANG, BatchStub, Reply, Seen, refusal
from tests.conformance.accounts.conftest import QUICK

_POOL = {"id": "p", "state": "active", "allocationState": "steady"}


async def test_a_throttled_request_waits_as_long_as_it_is_asked_to(
    stub: BatchStub, batch: BatchAccount
) -> None:
    stub.says(refusal(429, "TooManyRequests", Retry_After="0.3"), Reply(body=_POOL))
    started = time.monotonic()
    assert (await batch.get_pool("p")).id == "p"
    assert time.monotonic() - started >= 0.3


@pytest.mark.parametrize(
    "accident",
    [
        refusal(503, "ServerBusy"),
        refusal(500, "OperationTimedOut"),
        refusal(408, "Timeout"),
        Reply(502, b"<html>proxy</html>", {"Content-Type": "text/html"}),
        Reply(504, b"\x00\x01", {"Content-Type": "application/octet-stream"}),
        DROP,
        CUT,
    ],
    ids=lambda reply: reply.accident or str(reply.status),
)
async def test_a_passing_failure_is_tried_again_whatever_the_method(
    stub: BatchStub, batch: BatchAccount, accident: Reply
) -> None:
    stub.says(accident, Reply(body=_POOL))
    assert (await batch.get_pool("p")).id == "p"
    stub.says(accident, Reply(201))
    assert await batch.create_pool({"id": "p"}) is Creation.CREATED
    stub.says(accident, Reply(200))
    await batch.patch_job("j", {"priority": 1})
    assert [one.method for one in stub.seen] == ["GET", "GET", "POST", "POST", "PATCH", "PATCH"]


async def test_it_gives_up_after_the_limit_of_attempts(stub: BatchStub, batch: BatchAccount) -> None:
    stub.says(refusal(503, "ServerBusy", Retry_After="0.01"))
    with pytest.raises(ThrottledError) as raised:
        await batch.list_pools()
    assert raised.value.retry_after == 0.01
    assert len(stub.seen) == QUICK.attempts


async def test_a_refused_connection_is_unreachable() -> None:
    served = await BatchStub().start()
    settings = served.settings
    await served.stop()
    account = Account(settings, QUICK)
    await account.open()
    try:
        with pytest.raises(UnreachableError) as raised:
            await account.batch.get_pool("p")
    finally:
        await account.close()
    assert raised.value.attempts == QUICK.attempts
    assert raised.value.__cause__ is not None


async def test_a_silent_service_is_given_up_in_time(stub: BatchStub) -> None:
    stub.says(HANG)
    account = Account(stub.settings, Limits(operation_timeout=0.4, backoff=0.01))
    await account.open()
    started = time.monotonic()
    try:
        with pytest.raises(UnreachableError):
            await account.batch.get_pool("p")
    finally:
        await account.close()
    assert time.monotonic() - started < 2.0
    assert len(stub.seen) >= 2  # half of the time went to each try


async def test_what_was_refused_is_not_sent_again(stub: BatchStub, batch: BatchAccount) -> None:
    stub.says(refusal(409, "PoolBeingResized", Retry_After="1"))
    with pytest.raises(ConflictError) as raised:
        await batch.resize_pool("p", dedicated=1, low_priority=0)
    assert raised.value.code == "PoolBeingResized"
    assert "RequestId" not in str(raised.value)
    assert len(stub.seen) == 1


async def test_a_thing_that_exists_after_a_lost_answer_is_perhaps_ours(
    stub: BatchStub, batch: BatchAccount
) -> None:
    stub.says(DROP, refusal(409, "PoolExists"))
    assert await batch.create_pool({"id": "p"}) is Creation.PERHAPS_OURS
    stub.says(DROP, refusal(409, "JobExists"))
    assert await batch.create_job({"id": "j"}) is Creation.PERHAPS_OURS


async def test_a_thing_that_exists_at_once_or_after_a_throttle_is_not_ours(
    stub: BatchStub, batch: BatchAccount
) -> None:
    stub.says(refusal(409, "PoolExists"))
    with pytest.raises(ConflictError):
        await batch.create_pool({"id": "p"})
    stub.says(refusal(429, "TooManyRequests"), refusal(409, "JobExists"))
    with pytest.raises(ConflictError):
        await batch.create_job({"id": "j"})


@pytest.mark.parametrize("code", ["JobBeingDeleted", "ActiveJobAndScheduleQuotaReached"])
async def test_another_conflict_after_a_lost_answer_stays_one(
    stub: BatchStub, batch: BatchAccount, code: str
) -> None:
    stub.says(DROP, refusal(409, code))
    with pytest.raises(ServiceError) as raised:
        await batch.create_job({"id": "j"})
    assert raised.value.code == code


@pytest.mark.parametrize("delete", [BatchAccount.delete_pool, BatchAccount.delete_job])
async def test_a_deletion_tells_whether_there_was_something(
    stub: BatchStub, batch: BatchAccount, delete: Callable[[BatchAccount, str], Awaitable[bool]]
) -> None:
    stub.says(Reply(202))
    assert await delete(batch, "x") is True
    stub.says(refusal(404, "NotFound"))
    assert await delete(batch, "x") is False
    # Twice, since aiohttp by itself repeats a DELETE that a kept connection dropped, and tells nobody.
    stub.says(DROP, DROP, refusal(404, "NotFound"))
    assert await delete(batch, "x") is True
    stub.says(refusal(409, "PoolBeingDeleted"))
    assert await delete(batch, "x") is True
    stub.says(refusal(409, "Locked"))
    with pytest.raises(ConflictError):
        await delete(batch, "x")


async def test_a_job_that_ended_already_is_not_ended_again(stub: BatchStub, batch: BatchAccount) -> None:
    stub.says(Reply(202))
    assert await batch.terminate_job("j", "enough") is True
    assert msgspec.json.decode(stub.seen[-1].body) == {"terminateReason": "enough"}
    stub.says(refusal(409, "JobCompleted"))
    assert await batch.terminate_job("j", "enough") is False
    stub.says(DROP, refusal(409, "JobBeingTerminated"))
    assert await batch.terminate_job("j", "enough") is True
    stub.says(refusal(404, "JobNotFound"))
    with pytest.raises(NotFoundError):
        await batch.terminate_job("j", "enough")


async def test_a_deletion_is_over_when_nothing_is_found(stub: BatchStub, batch: BatchAccount) -> None:
    deleting = Reply(body={**_POOL, "state": "deleting"})
    stub.says(Reply(body=_POOL), deleting, refusal(503, "ServerBusy"), deleting, refusal(404, "PoolNotFound"))
    assert await batch.wait_pool_gone("p") is True
    assert len(stub.seen) == 5


async def test_a_deletion_that_takes_too_long_is_told(stub: BatchStub) -> None:
    stub.says(Reply(body={"id": "j", "state": "deleting"}))
    account = Account(stub.settings, Limits(deletion_timeout=0.2, deletion_poll_interval=0.02))
    await account.open()
    try:
        assert await account.batch.wait_job_gone("j") is False
    finally:
        await account.close()
    assert len(stub.seen) > 2


def _bodies(*ids: str) -> list[bytes]:
    return [msgspec.json.encode({"id": task_id, "commandLine": "ä"}) for task_id in ids]


async def test_a_collection_whose_answer_was_lost_is_sent_again_and_told(
    stub: BatchStub, batch: BatchAccount
) -> None:
    def second(seen: Seen) -> Reply:
        sent = msgspec.json.decode(seen.body)["value"]
        exists = {"code": "TaskExists", "message": {"value": "There."}}
        results = [{"taskId": task["id"], "status": "clienterror", "error": exists} for task in sent]
        return Reply(body={"value": [*reversed(results[:-1]), {"taskId": "c", "status": "Success"}]})

    stub.says(DROP, second)
    fates = await batch.add_tasks("j", _bodies("a", "b", "c"))
    assert [(fate.task_id, fate.status) for fate in fates] == [
        ("a", AddStatus.PERHAPS_OURS),
        ("b", AddStatus.PERHAPS_OURS),
        ("c", AddStatus.ACCEPTED),
    ]
    assert stub.seen[0].body == stub.seen[1].body


async def test_a_collection_that_is_too_large_is_refused_at_once(
    stub: BatchStub, batch: BatchAccount
) -> None:
    stub.says(refusal(413, "RequestBodyTooLarge"))
    with pytest.raises(ServiceError) as raised:
        await batch.add_tasks("j", _bodies("a"))
    assert (raised.value.status, raised.value.code) == (413, "RequestBodyTooLarge")
    assert len(stub.seen) == 1


async def test_no_tasks_need_no_request(stub: BatchStub, batch: BatchAccount) -> None:
    assert await batch.add_tasks("j", []) == ()
    assert stub.seen == []


async def test_an_answer_that_is_not_the_apis_is_an_error(stub: BatchStub, batch: BatchAccount) -> None:
    stub.says(Reply(body=b"<html>captive portal</html>", headers={"Content-Type": "text/html"}))
    with pytest.raises(ServiceError, match="not what the API describes"):
        await batch.get_pool("p")
    with pytest.raises(ServiceError, match="not what the API describes"):
        await batch.add_tasks("j", _bodies("a"))


@pytest.mark.parametrize("host", ["http://elsewhere.example:1", ""])
async def test_pages_are_followed_on_the_endpoint_itself(
    stub: BatchStub, batch: BatchAccount, host: str
) -> None:
    link = f"{host}/jobs/j/tasks?api-version=2025-06-01&$filter=state%20eq%20'active'&$skiptoken=a.b~c-d_e"
    first = {"value": [{"id": "a", "state": "active"}], "odata.nextLink": link}
    stub.says(
        Reply(body=first),
        Reply(body={"value": [], "odata.nextLink": link + "f"}),
        Reply(body={"value": [{"id": "b"}]}),
    )
    pages = [page async for page in batch.list_tasks("j", filter="state eq 'active' and id eq 'ä+&'")]
    assert [[task.id for task in page] for page in pages] == [["a"], [], ["b"]]
    assert stub.seen[0].query["$filter"] == "state eq 'active' and id eq 'ä+&'"
    assert stub.seen[0].query["$select"].startswith("id,state,")
    assert [one.query.get("$skiptoken") for one in stub.seen] == [None, "a.b~c-d_e", "a.b~c-d_ef"]
    assert {one.query["api-version"] for one in stub.seen} == {"2025-06-01"}


@pytest.mark.parametrize("path", ["wd/a b/c.txt", "wd/!$&'()*,:=@+%?#[]ä.txt", "wd/a;b&c.txt", "stdout.txt"])
async def test_any_file_name_is_signed_as_it_is_sent(stub: BatchStub, batch: BatchAccount, path: str) -> None:
    stub.says(Reply(body=b"content"))
    assert b"".join([piece async for piece in batch.read_task_file("j", "t", path, limit=100)]) == b"content"
    assert "%2F" in stub.seen[0].raw_path or "/" not in path


async def test_a_file_is_read_up_to_the_limit(stub: BatchStub, batch: BatchAccount) -> None:
    stub.says(Reply(body=b"x" * 500_000))
    pieces = [piece async for piece in batch.read_task_file("j", "t", "stdout.txt", limit=100_001)]
    assert sum(map(len, pieces)) == 100_001


async def test_a_file_that_is_cut_is_not_taken_for_whole(stub: BatchStub, batch: BatchAccount) -> None:
    stub.says(CUT)
    with pytest.raises(UnreachableError):
        _ = [piece async for piece in batch.read_task_file("j", "t", "stdout.txt", limit=10_000)]


async def test_a_file_that_is_not_there_tells_its_code(stub: BatchStub, batch: BatchAccount) -> None:
    stub.says(refusal(409, "TaskFilesUnavailable"))
    with pytest.raises(ConflictError) as raised:
        _ = [piece async for piece in batch.read_task_file("j", "t", "stdout.txt", limit=10)]
    assert raised.value.code == "TaskFilesUnavailable"


async def test_a_reader_may_leave_in_the_middle_of_a_file(stub: BatchStub, batch: BatchAccount) -> None:
    stub.says(Reply(body=b"x" * 3_000_000))
    async with aclosing(batch.read_task_file("j", "t", "stdout.txt", limit=10**9)) as pieces:
        assert await anext(pieces)
    stub.says(Reply(body=_POOL))
    assert (await batch.get_pool("p")).id == "p"


async def test_a_signature_in_a_refusal_is_not_repeated(stub: BatchStub, batch: BatchAccount) -> None:
    body = {
        "code": "InvalidPropertyValue",
        "message": {"value": "Bad https://h/c/b?sv=1&sig=c2VjcmV0."},
        "values": [{"key": "PropertyValue", "value": "https://h/c/b?sig=c2VjcmV0"}],
    }
    stub.says(Reply(400, body))
    with pytest.raises(ServiceError) as raised:
        await batch.create_job({"id": "j"})
    assert "c2VjcmV0" not in f"{raised.value}{raised.value.details}"


async def test_a_cancelled_call_leaves_the_account_usable(stub: BatchStub, batch: BatchAccount) -> None:
    stub.says(HANG, Reply(body=_POOL))
    task = asyncio.ensure_future(batch.get_pool("p"))
    await stub.arrived.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (await batch.get_pool("p")).id == "p"


async def test_an_account_is_opened_used_and_closed_by_different_tasks(stub: BatchStub) -> None:
    stub.says(Reply(body={"value": [_POOL]}))
    account = Account(stub.settings, QUICK)
    with pytest.raises(NotOpenError):
        _ = account.batch

    async def use() -> None:
        assert len(await account.batch.list_pools()) == 1

    async with anyio.create_task_group() as group:
        group.start_soon(account.open)
        group.start_soon(account.open)
    async with anyio.create_task_group() as group:
        for _ in range(5):
            group.start_soon(use)
    async with anyio.create_task_group() as group:
        group.start_soon(account.close)
        group.start_soon(account.close)
    with pytest.raises(NotOpenError):
        _ = account.storage
    await account.open()
    await use()
    await account.close()
