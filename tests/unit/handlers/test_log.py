"""Each event is one line: a dotted name and fields."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from structlog.testing import capture_logs

from orchestrator.events import (
    Event,
    HandlerFailed,
    OutputDownloaded,
    RunStateChanged,
    StartTaskFailed,
    TaskFailed,
    TasksSubmitted,
    TaskStarted,
)
from orchestrator.handlers import LogHandler
from orchestrator.handlers.log import dotted_name
from orchestrator.states import FailureInfo, NodeState, RunState, TaskKey, TaskState

KEY = TaskKey("job", "t1")
FAILURE = FailureInfo(category="usererror", code="FailureExitCode", message="it failed")


@pytest.fixture(autouse=True)
def structlog_as_it_comes() -> Iterator[None]:
    """Whatever earlier tests have configured: a level above it would leave lines out."""
    configured, config = structlog.is_configured(), structlog.get_config()
    structlog.reset_defaults()
    yield
    if configured:
        structlog.configure(**config)


@pytest.mark.parametrize(
    ("name", "dotted"),
    [
        ("RunStarted", "run.started"),
        ("RunStateChanged", "run.state_changed"),
        ("OutputsDownloaded", "outputs.downloaded"),
        ("Event", "event"),
    ],
)
def test_a_class_name_becomes_a_dotted_name(name: str, dotted: str) -> None:
    assert dotted_name(name) == dotted


@pytest.mark.parametrize(
    ("event", "line"),
    [
        (
            TaskFailed(
                run_id="r",
                key=KEY,
                previous=TaskState.RUNNING,
                state=TaskState.COMPLETED,
                exit_code=3,
                failure=FAILURE,
                sequence=5,
            ),
            {
                "event": "task.failed",
                "log_level": "warning",
                "run": "r",
                "sequence": 5,
                "job": "job",
                "task": "t1",
                "previous": "running",
                "state": "completed",
                "retry_count": 0,
                "exit_code": 3,
                "category": "usererror",
                "code": "FailureExitCode",
                "message": "it failed",
            },
        ),
        (
            RunStateChanged(run_id="r", previous=None, state=RunState.STAGING),
            {
                "event": "run.state_changed",
                "log_level": "info",
                "run": "r",
                "sequence": 0,
                "state": "staging",
            },
        ),
        (
            TasksSubmitted(run_id="r", job_id="job", task_ids=tuple(map(str, range(100)))),
            {
                "event": "tasks.submitted",
                "log_level": "info",
                "run": "r",
                "sequence": 0,
                "job": "job",
                "task_ids": 100,
            },
        ),
        (
            OutputDownloaded(run_id="r", key=KEY, path=Path("/x/y"), size=3),
            {
                "event": "output.downloaded",
                "log_level": "debug",
                "run": "r",
                "sequence": 0,
                "job": "job",
                "task": "t1",
                "path": "/x/y",
                "size": 3,
            },
        ),
    ],
)
async def test_a_line_has_the_fields_of_its_event(event: Event, line: dict[str, object]) -> None:
    with capture_logs() as lines:
        await LogHandler().handle(event)
    assert lines == [line]


@pytest.mark.parametrize(
    ("event", "level"),
    [
        (TaskStarted(run_id="r", key=KEY, previous=None, state=TaskState.RUNNING), "debug"),
        (HandlerFailed(run_id="r", handler="h", failed_event="E", error="e"), "warning"),
        (
            StartTaskFailed(
                run_id="r", pool_id="p", node_id="n", previous=None, state=NodeState.START_TASK_FAILED
            ),
            "warning",
        ),
    ],
)
async def test_what_went_wrong_is_a_warning_and_what_is_many_is_for_debugging(
    event: Event, level: str
) -> None:
    with capture_logs() as lines:
        await LogHandler().handle(event)
    assert [line["log_level"] for line in lines] == [level]


async def test_a_line_that_nobody_wants_is_not_made(capsys: pytest.CaptureFixture[str]) -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.INFO))
    started = TaskStarted(run_id="r", key=KEY, previous=None, state=TaskState.RUNNING)
    handler = LogHandler()
    await handler.handle(started)
    assert capsys.readouterr().out == ""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.DEBUG))
    await handler.handle(started)
    assert "task.started" in capsys.readouterr().out
