from __future__ import annotations

from typing import Any

import pytest
from azure.batch import models
from azure.batch.aio import BatchClient
from azure.core.exceptions import HttpResponseError, ResourceExistsError

from tests.conformance.clients import RawClient, code_of


async def test_a_collection_tells_the_fate_of_each_task(raw: RawClient, idle_job: str) -> None:
    await raw.post(f"{idle_job}/tasks", {"id": "b", "commandLine": "true"})
    items = [{"id": name, "commandLine": "true"} for name in ("a", "B", "c")]
    answer = await raw.post(f"{idle_job}/addtaskcollection", {"value": items})
    assert "ETag" not in answer.headers
    body = answer.json()
    assert body["odata.metadata"] == f"{raw.url}/$metadata#taskaddresult"
    fates = {one["taskId"]: one for one in body["value"]}
    assert {name: one["status"] for name, one in fates.items()} == {
        "a": "Success",
        "B": "ClientError",
        "c": "Success",
    }
    assert list(fates["a"]) == ["status", "taskId", "eTag", "lastModified", "location"]
    assert fates["B"]["error"]["code"] == "TaskExists"


@pytest.mark.parametrize(
    ("items", "code"),
    [
        ([{"id": f"t{n}", "commandLine": "x"} for n in range(101)], "InvalidPropertyValue"),
        (
            [{"id": "a", "commandLine": "x"}, {"id": "b", "commandLine": "x", "nope": 1}],
            "UnsupportedProperty",
        ),
        ([{"id": "a", "commandLine": "x"}, {"id": "b"}], "MissingRequiredProperty"),
        (None, "MissingRequiredProperty"),
    ],
)
async def test_a_collection_with_a_wrong_item_is_refused_whole(
    raw: RawClient, idle_job: str, items: Any, code: str
) -> None:
    answer = await raw.send("POST", f"{idle_job}/addtaskcollection", {"value": items} if items else {})
    assert (answer.status, answer.json()["code"]) == (400, code)
    assert (await raw.get(f"{idle_job}/tasks"))["value"] == []


async def test_a_body_is_checked_before_the_job_is_looked_for(raw: RawClient) -> None:
    wrong = await raw.send("POST", "/jobs/none/tasks", {"id": "t"})
    assert wrong.json()["code"] == "MissingRequiredProperty"
    right = await raw.send("POST", "/jobs/none/tasks", {"id": "t", "commandLine": "x"})
    assert (right.status, right.json()["code"]) == (404, "JobNotFound")


async def test_the_sdk_adds_and_lists_thousands_of_tasks(
    client: BatchClient, raw: RawClient, idle_job: str
) -> None:
    names = [f"t{number}" for number in range(2500)]
    big = "x" * 1500
    tasks = [
        models.BatchTaskCreateOptions(
            id=name,
            command_line="true",
            environment_settings=[models.EnvironmentSetting(name="A", value=big)],
        )
        for name in names
    ]
    await client.create_tasks("j", tasks, max_concurrency=4)
    counts = (await client.get_job_task_counts("j")).task_counts
    assert counts.active == 2500
    seen = [one.id async for one in client.list_tasks("j", select=["id"])]
    assert seen == sorted(names)
    page = await raw.get(f"{idle_job}/tasks")
    assert len(page["value"]) == 1000


async def test_tasks_are_filtered_by_state_and_to_the_tick(raw: RawClient, idle_job: str) -> None:
    for name in ("a", "b", "c"):
        await raw.post(f"{idle_job}/tasks", {"id": name, "commandLine": "x"})
    await raw.send("POST", f"{idle_job}/tasks/b/terminate")
    moved = (await raw.get(f"{idle_job}/tasks/b"))["stateTransitionTime"]
    queries = {
        "state eq 'Completed'": ["b"],
        "state ne 'completed'": ["a", "c"],
        f"stateTransitionTime ge DateTime'{moved}'": ["b"],
        f"stateTransitionTime gt DateTime'{moved}'": [],
        "executionInfo/result eq 'failure'": ["b"],
        "executionInfo/exitCode eq 0": [],
        "startswith(id,'a') or id gt 'b'": ["a", "c"],
    }
    for text, expected in queries.items():
        page = await raw.get(f"{idle_job}/tasks", f"$filter={text.replace(' ', '%20')}&$select=id")
        assert [one["id"] for one in page["value"]] == expected, text


async def test_the_sdk_meets_the_errors_that_it_expects(client: BatchClient, idle_job: str) -> None:
    options = models.BatchTaskCreateOptions(id="t", command_line="x")
    await client.create_task("j", options)
    with pytest.raises(ResourceExistsError) as refusal:
        await client.create_task("j", options)
    assert code_of(refusal.value) == "TaskExists"
    containers = models.BatchTaskCreateOptions(
        id="c",
        command_line="x",
        container_settings=models.BatchTaskContainerSettings(image_name="i"),
    )
    with pytest.raises(HttpResponseError, match="containerSettings") as unserved:
        await client.create_task("j", containers)
    assert unserved.value.status_code == 501
