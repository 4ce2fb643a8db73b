"""Filtered lists of tasks, page by page, are what a look at every task would give."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest

from tests.conformance.clients import RawClient

TASKS = 60


@pytest.fixture
async def changed(raw: RawClient, idle_job: str) -> tuple[str, list[dict[str, Any]]]:
    """A job with tasks in two states and with different times, and the tasks."""
    names = [f"t{number:02}" for number in range(TASKS)]
    await raw.post(
        f"{idle_job}/addtaskcollection", {"value": [{"id": name, "commandLine": "true"} for name in names]}
    )
    for name in names[::4]:
        await raw.post(f"{idle_job}/tasks/{name}/terminate")
    for name in names[::8]:
        await raw.post(f"{idle_job}/tasks/{name}/reactivate")
    listed = await raw.get(f"{idle_job}/tasks")
    return idle_job, listed["value"]


async def pages(raw: RawClient, job: str, wanted: str, size: int) -> list[str]:
    found: list[str] = []
    query = f"$filter={quote(wanted)}&maxresults={size}"
    while True:
        page = await raw.get(f"{job}/tasks", query)
        assert len(page["value"]) <= size
        found += [task["id"] for task in page["value"]]
        link = page.get("odata.nextLink")
        if link is None:
            return found
        query = link.partition("?")[2].partition("&")[2]


@pytest.mark.parametrize("size", [1, 7, 1000])
async def test_a_filtered_list_is_what_a_look_at_every_task_gives(
    raw: RawClient, changed: tuple[str, list[dict[str, Any]]], size: int
) -> None:
    job, tasks = changed
    times = sorted(task["stateTransitionTime"] for task in tasks)
    since, until_ = times[TASKS // 3], times[-3]
    late = f"stateTransitionTime ge DateTime'{since}'"
    expected = {
        "state eq 'Completed'": [one["id"] for one in tasks if one["state"] == "completed"],
        "state eq 'active' or state eq 'completed'": [one["id"] for one in tasks],
        "state eq 'running'": [],
        late: [one["id"] for one in tasks if one["stateTransitionTime"] >= since],
        f"stateTransitionTime gt DateTime'{since}' and stateTransitionTime le DateTime'{until_}'": [
            one["id"] for one in tasks if since < one["stateTransitionTime"] <= until_
        ],
        f"state eq 'active' and {late}": [
            one["id"] for one in tasks if one["state"] == "active" and one["stateTransitionTime"] >= since
        ],
        f"{late} or id eq 't01'": [
            one["id"] for one in tasks if one["stateTransitionTime"] >= since or one["id"] == "t01"
        ],
    }
    for wanted, names in expected.items():
        assert await pages(raw, job, wanted, size) == names, wanted


async def test_a_task_that_goes_is_in_no_list(
    raw: RawClient, changed: tuple[str, list[dict[str, Any]]]
) -> None:
    job, tasks = changed
    completed = [one["id"] for one in tasks if one["state"] == "completed"]
    assert (await raw.send("DELETE", f"{job}/tasks/{completed[0]}")).status == 200
    assert await pages(raw, job, "state eq 'completed'", 5) == completed[1:]
