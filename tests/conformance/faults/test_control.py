"""The control endpoint: the lab from another process."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from orchestrator.local.batch.endpoint import BatchEndpoint
from orchestrator.local.faults import FaultLab
from tests.conformance.clients import KEY, RawClient, job_body, pool_body
from tests.conformance.faults.control import ControlClient

SCRIPT = """
[[rules]]
name = "busy"
on = ["list_jobs"]
count = 1
fault = { kind = "refuse", status = 429 }
"""


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as one:
        yield one


@pytest.fixture
def control(session: aiohttp.ClientSession, endpoint: BatchEndpoint) -> ControlClient:
    return ControlClient(session, endpoint.url)


async def test_a_script_is_put_counted_and_read(raw: RawClient, control: ControlClient) -> None:
    toml = {"Content-Type": "application/toml"}
    status, told = await control.send("PUT", "/faults", SCRIPT.encode(), headers=toml)
    assert (status, [rule["name"] for rule in told["rules"]]) == (200, ["busy"])
    assert [(await raw.send("GET", "/jobs")).status for _ in range(2)] == [429, 200]
    _, rule = await control.send("GET", "/faults/busy")
    assert (rule["seen"], rule["fired"], rule["fault"]["status"]) == (2, 1, 429)
    _, told = await control.send("GET", "/firings?rule=busy")
    (firing,) = told["firings"]
    assert (firing["rule"], firing["occasion"]["name"]) == ("busy", "list_jobs")
    assert (await control.send("GET", "/firings?rule=other"))[1] == {"firings": []}
    assert (await control.send("DELETE", "/faults"))[1] == {"rules": []}


async def test_rules_come_and_go_one_by_one(raw: RawClient, control: ControlClient, lab: FaultLab) -> None:
    rule = {"fault": {"kind": "refuse"}, "on": ["list_jobs"]}
    status, told = await control.send("POST", "/faults", rule)
    assert (status, told["fired"]) == (200, 0)
    assert (await raw.send("GET", "/jobs")).status == 503
    assert (await control.send("DELETE", f"/faults/{told['name']}"))[1]["fired"] == 1
    assert lab.rules == ()
    assert (await raw.send("GET", "/jobs")).status == 200


@pytest.mark.parametrize(
    "case",
    [
        ("PUT", "/faults", {"rules": [{"fault": {"kind": "none"}}]}, 400, "rules[0].fault.kind: "),
        ("POST", "/faults", {"fault": {"kind": "refuse"}, "on": ["none"]}, 400, "on[0]: "),
        ("POST", "/faults", [], 400, "no JSON object"),
        ("POST", "/faults", b"{", 400, "no JSON"),
        ("GET", "/faults/none", None, 404, "no rule 'none'"),
        ("DELETE", "/faults/none", None, 404, "no rule 'none'"),
        ("POST", "/settings", {"time_scale": -1}, 400, "time_scale"),
        ("POST", "/settings", {"time_scale": True}, 400, "time_scale"),
        ("POST", "/settings", {"scale": 1}, 400, "time_scale"),
        ("POST", "/settings", {}, 400, "time_scale"),
        ("POST", "/settings", {"pool_quota": -1}, 400, "pool_quota is a whole number"),
        ("POST", "/settings", {"job_quota": "1"}, 400, "job_quota is a whole number"),
        ("GET", "/none", None, 404, "nothing of that name"),
        ("POST", "/pools/none/nodes/0/lose", None, 404, "pool does not exist"),
        ("POST", "/pools/p/nodes/7/lose", None, 404, "no node number 7"),
        ("POST", "/pools/p/nodes/none/lose", None, 404, "node does not exist"),
        ("POST", "/pools/p/nodes/0/tickle", None, 404, "lose, preempt or unusable"),
        ("POST", "/pools/p/nodes/0/preempt", {"away": "long"}, 400, "away"),
        ("POST", "/pools/p/nodes/0/preempt", {"away": 1}, 409, "a dedicated node"),
    ],
)
async def test_what_can_not_be_done_is_told(
    raw: RawClient, control: ControlClient, case: tuple[str, str, Any, int, str]
) -> None:
    method, path, body, status, told = case
    await raw.post("/pools", pool_body(targetDedicatedNodes=1))
    await raw.nodes_in("idle", 1)
    answered, answer = await control.send(method, path, body)
    assert answered == status
    assert told in answer["error"]


@pytest.mark.parametrize("key", ["", "wrong", KEY])
async def test_only_its_own_key_opens_it(
    session: aiohttp.ClientSession, endpoint: BatchEndpoint, key: str
) -> None:
    other = ControlClient(session, endpoint.url, key)
    for path in ("/faults", "/none"):
        assert (await other.send("GET", path))[0] == 403


@pytest.mark.parametrize("header", [{"Origin": "http://localhost"}, {"Host": "evil.example"}])
async def test_a_page_in_a_browser_can_not_drive_it(control: ControlClient, header: dict[str, str]) -> None:
    assert (await control.send("GET", "/faults", headers=header))[0] == 403


async def test_nodes_are_lost_and_made_unusable_at_once(raw: RawClient, control: ControlClient) -> None:
    await raw.post("/pools", pool_body(targetDedicatedNodes=1, targetLowPriorityNodes=1))
    (node, _) = await raw.nodes_in("idle", 2)
    boot = node["lastBootTime"]
    status, told = await control.send("POST", f"/pools/p/nodes/{node['id']}/lose")
    assert (status, told["node"]) == (200, node["id"])
    await raw.nodes_in("idle", 2)
    after = await raw.get(f"/pools/p/nodes/{node['id']}")
    assert after["lastBootTime"] > boot
    status, told = await control.send("POST", "/pools/p/nodes/0/unusable")
    assert (status, told["state"]) == (200, "unusable")
    status, told = await control.send("POST", "/pools/p/nodes/1/preempt", {"away": 0.1})
    assert (status, told["state"]) == (200, "preempted")
    await raw.nodes_in("idle", 1)
    await raw.nodes_in("unusable", 1)


async def test_a_lost_node_with_a_task_is_noticed(raw: RawClient, job: str, control: ControlClient) -> None:
    await raw.post(f"{job}/tasks", {"id": "t", "commandLine": "sleep 1"})
    await raw.task_in("running")
    assert (await control.send("POST", "/pools/p/nodes/0/lose"))[0] == 200
    task = await raw.task_in("completed")
    assert task["executionInfo"]["result"] == "success"


async def test_the_pace_is_changed_for_what_begins_from_then_on(
    raw: RawClient, control: ControlClient
) -> None:
    assert (await control.send("GET", "/settings"))[1]["time_scale"] == 1.0
    status, told = await control.send("POST", "/settings", {"time_scale": 0.5})
    assert (status, told["time_scale"]) == (200, 0.5)
    assert (await raw.send("POST", "/jobs", job_body())).status == 201


async def code_of(raw: RawClient, path: str, body: dict[str, Any]) -> tuple[int, str]:
    answer = await raw.send("POST", path, body)
    return answer.status, "" if answer.status == 201 else answer.json()["code"]


async def test_quotas_are_set_while_it_runs_and_completed_jobs_are_free(
    raw: RawClient, control: ControlClient
) -> None:
    status, told = await control.send("POST", "/settings", {"pool_quota": 1, "job_quota": 2})
    assert (status, told) == (200, {"time_scale": 1.0, "pool_quota": 1, "job_quota": 2})
    assert await code_of(raw, "/pools", pool_body()) == (201, "")
    assert await code_of(raw, "/pools", pool_body("q")) == (409, "PoolQuotaReached")
    assert await code_of(raw, "/jobs", job_body()) == (201, "")
    schedule = {"id": "s", "schedule": {"doNotRunUntil": "2100-01-01T00:00:00Z"}}
    schedule |= {"jobSpecification": {"poolInfo": {"poolId": "p"}}}
    assert await code_of(raw, "/jobschedules", schedule) == (201, "")
    reached = (409, "ActiveJobAndScheduleQuotaReached")
    assert await code_of(raw, "/jobs", job_body("k")) == reached
    assert await code_of(raw, "/jobschedules", {**schedule, "id": "another"}) == reached
    await raw.post("/jobs/j/terminate")
    await raw.job_in("completed")
    assert await code_of(raw, "/jobs", job_body("k")) == (201, "")
    assert await code_of(raw, "/jobs", job_body("l")) == reached
    await control.send("POST", "/settings", {"job_quota": None})
    assert await code_of(raw, "/jobs", job_body("l")) == (201, "")
    assert (await control.send("GET", "/settings"))[1]["pool_quota"] == 1
