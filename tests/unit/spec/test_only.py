"""A plan reduced to what failed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from orchestrator.errors import SpecError
from orchestrator.spec import parse_job, plan_run
from orchestrator.spec.only import only_failed, read_failed
from orchestrator.spec.plan import RunPlan


def plan(folder: Path, task_id: str = "t-{index}") -> RunPlan:
    for number in range(3):
        (folder / f"in{number}").write_text("x")
    (folder / "tool").write_text("x")
    factory = {"per_file": "in*", "id": task_id, "command_line": "wc {file}", "resource_files": ["tool"]}
    job = {"id": "j", "pool": {"id": "p"}, "task_factory": factory}
    return plan_run(parse_job(job, base_dir=folder), "20260101t000000-abcdef")


def listed(folder: Path, *failed: dict[str, str | None], version: int = 1) -> Path:
    path = folder / "failed.json"
    path.write_text(json.dumps({"version": version, "failed": failed}))
    return path


def test_only_the_listed_task_and_the_files_it_needs_are_left(tmp_path: Path) -> None:
    path = listed(tmp_path, {"task": "t-1", "input": None})
    reduced = only_failed(plan(tmp_path), read_failed(path))
    (task,) = reduced.tasks
    assert (task.id, task.index) == ("t-1", 1)
    assert {file.path.name for file in reduced.inputs} == {"in1", "tool"}
    assert [file.index for file in reduced.inputs] == [0, 1]
    assert [(reduced.inputs[index].name, name) for index, name, _ in task.inputs] == [
        ("in1", "in1"),
        ("tool", "tool"),
    ]


def test_a_task_whose_id_is_another_in_each_run_is_known_by_its_file(tmp_path: Path) -> None:
    path = listed(tmp_path, {"task": "t-earlier-2", "input": str(tmp_path / "in2")})
    reduced = only_failed(plan(tmp_path, "t-{run}-{index}"), read_failed(path))
    assert [task.input_name for task in reduced.tasks] == ["in2"]


def test_a_list_of_none_of_the_jobs_tasks_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="none of the tasks of job j"):
        only_failed(plan(tmp_path), read_failed(listed(tmp_path, {"task": "other", "input": None})))


@pytest.mark.parametrize("content", ["", "[]", '{"failed": []}'])
def test_what_is_no_list_is_named(tmp_path: Path, content: str) -> None:
    path = tmp_path / "failed.json"
    path.write_text(content)
    with pytest.raises(SpecError, match=r"failed\.json: is no list of failed tasks"):
        read_failed(path)


def test_a_list_of_a_later_version_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="is of version 2"):
        read_failed(listed(tmp_path, version=2))


def test_a_list_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="can't be read"):
        read_failed(tmp_path / "failed.json")
