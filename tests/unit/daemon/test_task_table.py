from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from orchestrator.daemon.task_table import TaskTable


@pytest.fixture
def told() -> tuple[TaskTable, Callable[..., None]]:
    """An empty table, and a way to tell it events."""
    table = TaskTable()
    numbers = itertools.count(1)

    def tell(event: str, **fields: Any) -> None:
        table.fold(next(numbers), event, msgspec.json.encode({"event": event, **fields}))

    return table, tell


def key(task_id: str) -> dict[str, str]:
    return {"job_id": "j", "task_id": task_id}


def test_tasks_are_listed_in_pages_in_the_order_of_their_submission(
    told: tuple[TaskTable, Callable[..., None]],
) -> None:
    table, tell = told
    tell("RunStarted", job_id="j")
    tell("TasksSubmitted", task_ids=["a", "b", "c"])
    tell("TaskStarted", key=key("b"), previous=None, state="running", node_id="n")
    assert [row.task_id for row in table.page(state=None, after=None, limit=2)] == ["a", "b"]
    assert [row.task_id for row in table.page(state=None, after="b", limit=2)] == ["c"]
    assert [row.task_id for row in table.page(state="running", after=None, limit=9)] == ["b"]
    assert len(table) == 3
    assert table.job_id == "j"


def test_every_way_not_to_succeed_counts_as_failed(told: tuple[TaskTable, Callable[..., None]]) -> None:
    table, tell = told
    tell("TasksSubmitted", task_ids=["good", "bad", "left"])
    tell("TasksRejected", rejections=[["no", "Code", "why"]])
    failure = {"category": "usererror", "code": "F", "message": "m"}
    ended = {"previous": "running", "state": "completed"}
    tell("TaskSucceeded", key=key("good"), exit_code=0, **ended)
    tell("TaskFailed", key=key("bad"), exit_code=3, failure=failure, **ended)
    tell("TaskAbandoned", key=key("left"), reason="cancelled")
    tell("OutputsDownloaded", key=key("bad"), outputs=[], size=0, missing=[["x", "gone"]])
    assert table.failed() == ("bad", "left", "no")
    bad = table.get("bad")
    assert bad is not None
    assert (bad.exit_code, bad.outputs, bad.missing) == (3, True, (("x", "gone"),))
    assert [row.task_id for row in table.page(state="failed", after="bad", limit=9)] == ["left", "no"]


def test_an_event_that_comes_twice_changes_nothing(told: tuple[TaskTable, Callable[..., None]]) -> None:
    table, tell = told
    tell("TasksSubmitted", task_ids=["a"])
    tell("TaskAbandoned", key=key("a"), reason="x")
    body = msgspec.json.encode(
        {"event": "TaskStarted", "key": key("a"), "previous": None, "state": "running"}
    )
    table.fold(2, "TaskStarted", body)
    assert table.failed() == ("a",)
