from __future__ import annotations

import itertools
import tracemalloc
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from orchestrator.daemon.task_table import TaskRow, TaskTable


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
    assert table.failed(limit=9) == ("bad", "left", "no")
    assert table.failed(limit=1) == ("bad",)
    assert table.failed(after="bad", limit=9) == ("left", "no")
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
    assert table.failed(limit=9) == ("a",)


def test_a_row_has_all_that_its_events_told(told: tuple[TaskTable, Callable[..., None]]) -> None:
    table, tell = told
    tell("RunStarted", job_id="j", tasks=2)
    tell("TasksSubmitted", task_ids=["a", "b"])
    tell("TaskRequeued", key=key("b"), previous="running", state="active", node_id="n-1", retry_count=2)
    times = {"started_at": "2026-11-28T23:29:20.123456Z", "ended_at": "2026-11-28T23:29:21Z"}
    tell(
        "TaskSucceeded",
        key=key("b"),
        previous="active",
        state="completed",
        exit_code=0,
        retry_count=2,
        **times,
    )
    b = table.get("b")
    assert b is not None
    shown = {"task_id": "b", "state": "completed", "node_id": "n-1", "retry_count": 2, "exit_code": 0}
    assert msgspec.to_builtins(b) == {**shown, "succeeded": True, **times}
    assert table.get("a") == TaskRow(task_id="a", state="active")
    assert table.get("c") is None


def test_tasks_that_fail_alike_share_what_is_said_of_them(
    told: tuple[TaskTable, Callable[..., None]],
) -> None:
    table, tell = told
    failure = {"category": "usererror", "code": "FailureExitCode", "message": "m", "details": [["a", "b"]]}
    for task_id in ("a", "b"):
        tell("TaskFailed", key=key(task_id), previous=None, state="completed", exit_code=1, failure=failure)
    a, b = table.get("a"), table.get("b")
    assert a is not None
    assert b is not None
    assert a.failure is b.failure


def test_nothing_comes_after_a_task_that_is_not_there(told: tuple[TaskTable, Callable[..., None]]) -> None:
    table, tell = told
    tell("TasksSubmitted", task_ids=["a"])
    assert table.page(state=None, after="b", limit=9) == ()


def test_a_task_takes_less_than_a_hundred_bytes() -> None:
    count = 20_000
    ids = [f"task-{number:06}" for number in range(count)]
    tracemalloc.start()
    try:
        table = TaskTable()
        table.fold(1, "RunStarted", msgspec.json.encode({"job_id": "j", "tasks": count}))
        table.fold(2, "TasksSubmitted", msgspec.json.encode({"task_ids": ids}))
        for number, task_id in enumerate(ids, 3):
            told = {"key": key(task_id), "state": "completed", "node_id": "n", "exit_code": 0}
            table.fold(
                number, "TaskSucceeded", msgspec.json.encode({**told, "ended_at": "2026-11-28T23:29:21Z"})
            )
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(table) == count
    assert kept < 100 * count
