"""What older clients call things, and the case that the newest one compares with."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from azure.batch import models
from azure.batch.aio import BatchClient
from azure.core.credentials import AzureNamedKeyCredential

from orchestrator.local import Casing
from orchestrator.local.batch.endpoint import BatchEndpoint
from orchestrator.local.batch.node import NodeProcess
from orchestrator.local.batch.versions import VERSIONS
from tests.conformance.clients import ACCOUNT, KEY, RawClient, job_body, pool_body, sh

OLD = "2020-03-01.11.0"


@pytest.fixture
async def lower_case(tmp_path: Path) -> AsyncIterator[BatchEndpoint]:
    endpoint = BatchEndpoint(
        account_name=ACCOUNT,
        account_key=KEY,
        data_dir=tmp_path,
        start_node=NodeProcess.start,
        casing=Casing.SDK,
    )
    await endpoint.start()
    yield endpoint
    await endpoint.close()


async def read(raw: RawClient, path: str, version: str, query: str = "") -> Any:
    answer = await raw.send("GET", path, version=version, query=query)
    assert answer.status == 200, answer.body
    return answer.json()


@pytest.mark.parametrize("version", VERSIONS)
async def test_every_version_makes_runs_and_reads_a_task(raw: RawClient, version: str) -> None:
    for path, body in (
        ("/pools", pool_body(targetDedicatedNodes=1)),
        ("/jobs", job_body()),
        ("/jobs/j/tasks", {"id": "t", "commandLine": sh("exit 3")}),
    ):
        assert (await raw.send("POST", path, body, version=version)).status == 201
    await raw.task_in("completed")
    task = await read(raw, "/jobs/j/tasks/t", version)
    assert task["executionInfo"]["result"].lower() == "failure"
    for path in ("/pools/p", "/pools/p/nodes", "/jobs/j", "/jobs/j/taskcounts", "/nodecounts"):
        await read(raw, path, version)


async def test_slots_per_node_are_written_read_and_selected_by_their_old_name(raw: RawClient) -> None:
    made = await raw.send("POST", "/pools", pool_body(maxTasksPerNode=4), version=OLD)
    assert made.status == 201
    assert (await raw.get("/pools/p"))["taskSlotsPerNode"] == 4
    old = await read(raw, "/pools/p", OLD)
    assert (old["maxTasksPerNode"], "taskSlotsPerNode" in old) == (4, False)
    listed = await read(raw, "/pools", OLD, "$select=id,maxTasksPerNode")
    assert listed["value"] == [{"id": "p", "maxTasksPerNode": 4}]
    refused = await raw.send("POST", "/pools", pool_body("q", taskSlotsPerNode=4), version=OLD)
    assert (refused.status, refused.json()["code"]) == (400, "UnsupportedProperty")


async def test_task_counts_were_flat(raw: RawClient) -> None:
    await raw.post("/jobs", job_body())
    await raw.post("/jobs/j/tasks", {"id": "t", "commandLine": "true"})
    counts = await read(raw, "/jobs/j/taskcounts", OLD)
    assert (counts["active"], "taskCounts" in counts) == (1, False)


async def test_nodes_show_ports_to_older_clients(raw: RawClient) -> None:
    await raw.post("/pools", pool_body(targetDedicatedNodes=2))
    await raw.nodes_in("idle", 2)
    nodes = (await read(raw, "/pools/p/nodes", "2024-02-01.19.0"))["value"]
    ports = [node["endpointConfiguration"]["inboundEndpoints"][0]["frontendPort"] for node in nodes]
    assert sorted(ports) == [50000, 50001]
    assert all(node["certificateReferences"] == [] for node in nodes)


async def test_the_sdk_finds_its_enums_in_its_own_case(lower_case: BatchEndpoint) -> None:
    credential = AzureNamedKeyCredential(ACCOUNT, KEY)
    async with (
        BatchClient(lower_case.url, credential, use_env_settings=False) as client,
        aiohttp.ClientSession() as session,
    ):
        raw = RawClient(session, lower_case.url)
        await raw.post("/pools", pool_body(targetDedicatedNodes=1))
        await raw.post("/jobs", job_body())
        added = await client.create_task_collection(
            "j",
            models.BatchTaskGroup(task_values=[models.BatchTaskCreateOptions(id="t", command_line="none")]),
        )
        assert added.result_values is not None
        assert [one.status for one in added.result_values] == [models.BatchTaskAddStatus.SUCCESS]
        await raw.task_in("completed")
        info = (await client.get_task("j", "t")).execution_info
        assert info is not None
        assert info.failure_info is not None
        assert info.failure_info.category == models.BatchErrorSourceCategory.USER_ERROR
        policy = (await client.get_pool("p")).task_scheduling_policy
        assert policy is not None
        assert policy.node_fill_type == models.BatchNodeFillType.SPREAD
