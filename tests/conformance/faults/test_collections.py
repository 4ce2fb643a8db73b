"""Collections of which a part is added, and tasks that are shown as they were."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from orchestrator.local.faults import FaultLab
from tests.conformance.clients import RawClient, job_body, pool_body, sh


def partial(**members: Any) -> dict[str, Any]:
    return {"fault": {"kind": "partial_collection", **members}, "name": "partial", "count": 1}


async def add(raw: RawClient, job: str, *names: str) -> Any:
    tasks = [{"id": name, "commandLine": "true"} for name in names]
    return await raw.send("POST", f"{job}/addtaskcollection", {"value": tasks})


async def names(raw: RawClient, job: str) -> list[str]:
    return [task["id"] for task in (await raw.get(f"{job}/tasks"))["value"]]


@pytest.mark.parametrize(
    "case",
    [("servererror", "ServerError", "InternalError"), ("clienterror", "ClientError", "InvalidPropertyValue")],
)
async def test_some_items_are_refused_and_the_others_added(
    raw: RawClient, idle_job: str, lab: FaultLab, case: tuple[str, str, str]
) -> None:
    outcome, status, code = case
    lab.add(partial(share=0.5, outcome=outcome))
    answer = await add(raw, idle_job, "a", "b", "c")
    assert answer.status == 200
    told = {item["taskId"]: item for item in answer.json()["value"]}
    assert [told[name]["status"] for name in "abc"] == ["Success", status, status]
    assert told["b"]["error"]["code"] == code
    assert "eTag" not in told["b"]
    assert await names(raw, idle_job) == ["a"]
    again = await add(raw, idle_job, "b", "c")
    assert {item["status"] for item in again.json()["value"]} == {"Success"}


async def test_only_the_tasks_that_are_meant_are_refused(
    raw: RawClient, idle_job: str, lab: FaultLab
) -> None:
    lab.add({**partial(share=1, code="ServerBusy"), "match": {"task": "b*"}})
    await add(raw, idle_job, "a", "b1", "c", "b2")
    assert await names(raw, idle_job) == ["a", "c"]


async def test_all_may_be_refused(raw: RawClient, idle_job: str, lab: FaultLab) -> None:
    lab.add(partial(share=1))
    answer = await add(raw, idle_job, "a", "b")
    assert [item["status"] for item in answer.json()["value"]] == ["ServerError", "ServerError"]
    assert await names(raw, idle_job) == []


async def test_a_broken_request_may_have_added_a_part(raw: RawClient, idle_job: str, lab: FaultLab) -> None:
    lab.add(partial(share=0.5, outcome="broken"))
    answer = await add(raw, idle_job, "a", "b")
    assert (answer.status, answer.json()["code"]) == (500, "InternalError")
    assert await names(raw, idle_job) == ["a"]


async def test_a_body_that_can_not_be_read_is_refused_as_ever(
    raw: RawClient, idle_job: str, lab: FaultLab
) -> None:
    lab.add(partial())
    answer = await raw.send("POST", f"{idle_job}/addtaskcollection", b"{")
    assert (answer.status, answer.json()["code"]) == (400, "InvalidRequestBody")


async def test_counts_lists_and_tasks_lag(raw: RawClient, lab: FaultLab) -> None:
    await raw.post("/pools", pool_body(targetDedicatedNodes=1))
    await raw.post("/jobs", job_body())
    await raw.post("/jobs/j/tasks", {"id": "t", "commandLine": sh("exit 3")})
    await raw.task_in("completed")
    query = "$filter=state%20eq%20'completed'"
    assert len((await raw.get("/jobs/j/tasks", query))["value"]) == 1
    lab.add({"fault": {"kind": "stale", "seconds": 3600}, "name": "stale"})
    assert (await raw.get("/jobs/j/tasks"))["value"] == []
    assert (await raw.get("/jobs/j/taskcounts"))["taskCounts"]["completed"] == 0
    missing = await raw.send("GET", "/jobs/j/tasks/t")
    assert missing.json()["code"] == "TaskNotFound"
    lab.remove("stale")
    assert (await raw.get("/jobs/j/taskcounts"))["taskCounts"]["completed"] == 1


async def test_what_lags_little_catches_up(raw: RawClient, idle_job: str, lab: FaultLab) -> None:
    lab.add({"fault": {"kind": "stale", "seconds": 0.3}, "on": ["list_tasks"], "name": "stale"})
    await add(raw, idle_job, "a")
    assert await names(raw, idle_job) == []
    with anyio.fail_after(10):
        while await names(raw, idle_job) != ["a"]:
            await lab.wait_fired("stale", lab.fired("stale"))
