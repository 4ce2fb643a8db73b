from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.daemon.again import again, next_id
from orchestrator.spec import parse_job, plan_run, planned_command
from tests.acceptance.daemon.daemons import JOB


def test_failed_tasks_come_back_with_their_own_id_file_and_index(tmp_path: Path) -> None:
    for name in ("a.txt", "b.txt", "c.txt"):
        (tmp_path / name).write_text(name)
    job = {
        **JOB,
        "id": "counts",
        "tasks": [{"id": "full", "command_line": "echo {index} ${x}"}],
        "task_factory": {
            "per_file": "*.txt",
            "id": "t-{index:03}",
            "command_line": "wc {file} > {index:05}.out",
            "output_files": ["*.out"],
        },
    }
    plan = plan_run(parse_job(job, base_dir=tmp_path), "r1")
    spec = again(plan, {"t-001", "full"})
    new = plan_run(spec, "r2")
    assert (new.job_id, [task.id for task in new.tasks]) == ("counts-again", ["full", "t-001"])
    for task in new.tasks:
        old = next(each for each in plan.tasks if each.id == task.id)
        assert planned_command(task, "r", None) == planned_command(old, "r", None)
        assert [new.inputs[index].path for index, _, _ in task.inputs] == [
            plan.inputs[index].path for index, _, _ in old.inputs
        ]
        assert task.spec.output_files == old.spec.output_files


@pytest.mark.parametrize(
    ("before", "after"),
    [("a", "a-again"), ("a-again", "a-again2"), ("a-again9", "a-again10"), ("x" * 64, "x" * 58 + "-again")],
)
def test_each_try_has_an_id_of_its_own(before: str, after: str) -> None:
    assert next_id(before) == after
