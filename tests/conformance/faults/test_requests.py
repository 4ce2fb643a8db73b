"""Each fault that a request may meet, seen by a client that does not repeat anything."""

from __future__ import annotations

import time
from typing import Any

import aiohttp
import pytest
from azure.batch.aio import BatchClient
from azure.core.exceptions import HttpResponseError

from orchestrator.local.faults import FaultLab
from tests.conformance.clients import RawClient, code_of, job_body, pool_body


def fault(kind: str, *on: str, **members: Any) -> dict[str, Any]:
    """A rule that fires once."""
    return {"fault": {"kind": kind, **members}, "on": on, "name": kind, "count": 1}


@pytest.mark.parametrize(
    ("members", "status", "code"),
    [
        ({"status": 429}, 429, "TooManyRequests"),
        ({"status": 503}, 503, "ServerBusy"),
        ({}, 503, "ServerBusy"),
        ({"status": 500}, 500, "InternalError"),
        ({"code": "ActiveJobAndScheduleQuotaReached"}, 409, "ActiveJobAndScheduleQuotaReached"),
        ({"code": "PoolQuotaReached"}, 409, "PoolQuotaReached"),
        ({"status": 418, "code": "Teapot"}, 418, "Teapot"),
    ],
)
async def test_a_refused_request_has_done_nothing(
    raw: RawClient, lab: FaultLab, members: dict[str, Any], status: int, code: str
) -> None:
    lab.add(fault("refuse", "create_job", **members))
    refused = await raw.send("POST", "/jobs", job_body())
    assert (refused.status, refused.json()["code"]) == (status, code)
    assert "Retry-After" not in refused.headers
    assert refused.reason
    assert (await raw.send("GET", "/jobs/j")).status == 404
    assert (await raw.send("POST", "/jobs", job_body())).status == 201
    assert lab.fired("refuse") == 1


async def test_it_says_when_to_come_again_if_it_is_told_to(raw: RawClient, lab: FaultLab) -> None:
    lab.add(fault("refuse", "*", status=429, retry_after=2))
    refused = await raw.send("GET", "/jobs")
    assert (refused.status, refused.headers["Retry-After"]) == (429, "2")


async def test_a_head_is_refused_without_a_body(raw: RawClient, lab: FaultLab) -> None:
    lab.add(fault("refuse", "pool_exists"))
    refused = await raw.send("HEAD", "/pools/p")
    assert (refused.status, refused.body) == (503, b"")


async def test_the_sdk_waits_as_it_is_told_and_gets_through(client: BatchClient, lab: FaultLab) -> None:
    lab.add({**fault("refuse", "list_jobs", status=503), "count": 2})
    assert [job async for job in client.list_jobs()] == []
    assert lab.fired("refuse") == 2


async def test_the_sdk_understands_a_refusal(client: BatchClient, lab: FaultLab) -> None:
    lab.add(fault("refuse", "get_job", code="AccountIsDisabled"))
    with pytest.raises(HttpResponseError) as caught:
        await client.get_job("j")
    assert (caught.value.status_code, code_of(caught.value)) == (403, "AccountIsDisabled")


async def test_an_operation_that_timed_out_was_done(raw: RawClient, lab: FaultLab) -> None:
    lab.add(fault("time_out_after_work", "create_job"))
    answer = await raw.send("POST", "/jobs", job_body())
    assert (answer.status, answer.json()["code"]) == (500, "OperationTimedOut")
    assert (await raw.send("POST", "/jobs", job_body())).json()["code"] == "JobExists"


async def test_even_a_refusal_is_lost_in_a_time_out(raw: RawClient, lab: FaultLab) -> None:
    lab.add(fault("time_out_after_work", "get_job"))
    assert (await raw.send("GET", "/jobs/none")).json()["code"] == "OperationTimedOut"


async def test_a_dropped_answer_was_done(raw: RawClient, lab: FaultLab) -> None:
    lab.add(fault("drop_answer", "create_job"))
    with pytest.raises(aiohttp.ServerDisconnectedError):
        await raw.send("POST", "/jobs", job_body())
    assert (await raw.send("POST", "/jobs", job_body())).json()["code"] == "JobExists"


async def test_a_dropped_download_lets_its_file_go(raw: RawClient, job: str, lab: FaultLab) -> None:
    await raw.post(f"{job}/tasks", {"id": "t", "commandLine": "/bin/echo hello"})
    await raw.task_in("completed")
    # A client may ask again by itself when a connection that it kept is closed.
    name = lab.add({**fault("drop_answer", "download_task_file"), "count": None})
    with pytest.raises(aiohttp.ServerDisconnectedError):
        await raw.stdout()
    lab.remove(name)
    assert await raw.stdout() == "hello\n"


async def test_a_reset_connection_did_nothing(raw: RawClient, lab: FaultLab) -> None:
    lab.add(fault("reset_connection", "create_job"))
    with pytest.raises(aiohttp.ClientOSError) as caught:
        await raw.send("POST", "/jobs", job_body())
    assert isinstance(caught.value, ConnectionResetError) or caught.value.errno == 104
    assert (await raw.send("POST", "/jobs", job_body())).status == 201


async def test_a_slow_answer_comes_after_its_time(raw: RawClient, lab: FaultLab) -> None:
    lab.add(fault("slow", "list_jobs", seconds=0.2))
    began = time.monotonic()
    assert (await raw.send("GET", "/jobs")).status == 200
    assert time.monotonic() - began >= 0.2


async def test_ids_choose_whose_requests_meet_it(raw: RawClient, lab: FaultLab) -> None:
    lab.add({**fault("refuse"), "match": {"job": "bad*"}, "count": None})
    assert (await raw.send("POST", "/jobs", job_body("good"))).status == 201
    assert (await raw.send("POST", "/jobs", job_body("Bad-1"))).status == 503
    assert (await raw.send("GET", "/jobs/bad-2")).status == 503
    assert (await raw.send("POST", "/pools", pool_body("bad"))).status == 201
    assert lab.fired("refuse") == 2


async def test_what_is_not_signed_meets_no_fault_and_counts_for_none(raw: RawClient, lab: FaultLab) -> None:
    lab.add(fault("refuse", "list_jobs"))
    answer = await raw.send("GET", "/jobs", headers={"Authorization": "SharedKey local:AAAA"})
    assert answer.status == 403
    assert lab.progress("refuse").seen == 0
