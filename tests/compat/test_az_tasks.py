from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.compat.az import Az

pytestmark = [pytest.mark.compat, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def job(az: Az, pool: str) -> str:
    """A job without tasks."""
    az("job", "create", "--id", "tasks", "--pool-id", pool)
    return "tasks"


def ended(task: dict[str, str]) -> bool:
    return task["state"] == "completed"


def test_a_task_is_created_runs_and_is_shown(az: Az, job: str) -> None:
    command = "/bin/sh -c 'echo hello $WHO; exit 3'"
    single = ("--job-id", job, "--task-id", "single")
    created = az("task", "create", *single, "--command-line", command, "--environment-settings", "WHO=world")
    assert (created["id"], created["commandLine"]) == ("single", command)
    assert created["environmentSettings"] == [{"name": "WHO", "value": "world"}]
    shown = az.until(ended, "task", "show", *single)
    told = shown["executionInfo"]
    assert (told["exitCode"], told["result"].lower(), told["retryCount"]) == (3, "failure", 0)
    assert told["failureInfo"]["code"] == "FailureExitCode"
    assert shown["nodeInfo"]["taskRootDirectory"].endswith("/single")


def test_a_task_from_a_json_file_is_one_task(az: Az, job: str, file: Path) -> None:
    file.write_text(
        json.dumps({"id": "written", "commandLine": "true", "constraints": {"maxTaskRetryCount": 1}})
    )
    created = az("task", "create", "--job-id", job, "--json-file", file)
    assert (created["id"], created["constraints"]["maxTaskRetryCount"]) == ("written", 1)
    shown = az.until(ended, "task", "show", "--job-id", job, "--task-id", "written")
    assert (shown["executionInfo"]["exitCode"], shown["executionInfo"]["result"].lower()) == (0, "success")


def test_a_json_file_with_more_tasks_than_a_request_holds_makes_them_all(
    az: Az, pool: str, file: Path
) -> None:
    az("job", "create", "--id", "many", "--pool-id", pool)
    names = [f"task-{number}" for number in range(120)]
    file.write_text(json.dumps([{"id": name, "commandLine": f"/bin/sh -c 'echo {name}'"} for name in names]))
    results = az("task", "create", "--job-id", "many", "--json-file", file)
    assert sorted(result["taskId"] for result in results) == sorted(names)
    assert {result["status"].lower() for result in results} == {"success"}
    tasks = az.until(lambda tasks: all(map(ended, tasks)), "task", "list", "--job-id", "many")
    assert {task["id"]: task["executionInfo"]["exitCode"] for task in tasks} == dict.fromkeys(names, 0)


def test_a_file_of_a_task_is_downloaded_as_it_was_written(az: Az, job: str, file: Path) -> None:
    writer = ("--job-id", job, "--task-id", "writer")
    az(
        "task",
        "create",
        *writer,
        "--command-line",
        "/bin/sh -c 'printf \"%s\\\\n\" one two; mkdir d; echo x >d/y'",
    )
    az.until(ended, "task", "show", *writer)
    found = {
        one["name"]: one["properties"]
        for one in az("task", "file", "list", *writer, "--recursive")
        if not one["isDirectory"]
    }
    assert (found["stdout.txt"]["contentLength"], "wd/d/y" in found) == ("8", True)
    assert az("task", "file", "download", *writer, "--file-path", "stdout.txt", "--destination", file) is None
    assert file.read_bytes() == b"one\ntwo\n"
    inner = file.with_name("inner")
    az("task", "file", "download", *writer, "--file-path", "wd/d/y", "--destination", inner)
    assert inner.read_bytes() == b"x\n"


def test_a_task_that_is_not_there_is_said_so(az: Az, job: str) -> None:
    done = az.run("task", "show", "--job-id", job, "--task-id", "nowhere")
    assert done.returncode == 3
    assert "TaskNotFound" in done.stderr
