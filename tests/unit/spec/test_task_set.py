"""The tasks of a plan as a list, by number, and in sets: what a list and sets of names would answer."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.spec import parse_job
from orchestrator.spec.plan import plan_run
from orchestrator.spec.planned import PlannedTask, RunPlan
from orchestrator.spec.task_list import TaskList
from orchestrator.spec.task_set import TaskNumbers, TaskSet

NAMES = ["task-00000", "task-00002", "task-00004", "task-00005", "full", "stranger", "other"]


def plan_of(count: int = 5) -> RunPlan:
    job = {
        "id": "j",
        "pool": {"id": "there"},
        "tasks": [{"id": "full", "command_line": "true"}],
        "task_factory": {"count": count, "command_line": "sleep {index}"},
    }
    return plan_run(parse_job(job, base_dir=Path("/"), where="job.toml"), "r")


def test_the_list_gives_each_task_at_its_place() -> None:
    tasks = plan_of().tasks
    assert [task.id for task in tasks] == ["full", *(f"task-{index:05}" for index in range(5))]
    assert [tasks[place].id for place in range(len(tasks))] == [task.id for task in tasks]
    assert tasks[-1].index == 4
    assert [task.id for task in tasks[4:]] == ["task-00003", "task-00004"]
    assert tasks == tuple(tasks)
    assert hash(tasks) == hash(tuple(tasks))
    assert tasks != tuple(tasks)[1:]
    with pytest.raises(IndexError):
        tasks[6]


def test_a_task_without_a_file_gets_none() -> None:
    last = plan_of().tasks[-1]
    assert (last.input_name, last.inputs, last.spec.command_line) == (None, (), "sleep {index}")


def test_a_number_is_a_place_and_those_who_are_met_come_after() -> None:
    numbers = TaskNumbers(plan_of().tasks)
    assert numbers.number("task-00001") == 2
    assert numbers.find("stranger") is None
    assert numbers.number("stranger") == 6
    assert numbers.number("other") == 7
    assert [numbers.id(number) for number in (0, 2, 6, 7)] == ["full", "task-00001", "stranger", "other"]
    assert "stranger" not in numbers
    assert "task-00004" in numbers
    assert "task-00005" not in numbers
    found = numbers.task("task-00003")
    assert found is not None
    assert found.index == 3
    assert numbers.task("stranger") is None


@given(steps=st.lists(st.tuples(st.sampled_from(["add", "discard"]), st.sampled_from(NAMES))))
def test_the_set_answers_as_a_set_of_names_does(steps: list[tuple[str, str]]) -> None:
    numbers = TaskNumbers(plan_of().tasks)
    there, expected = TaskSet(numbers), set[str]()
    for step, name in steps:
        getattr(there, step)(name)
        getattr(expected, step)(name)
        assert len(there) == len(expected)
    assert set(there) == expected
    assert [name in there for name in NAMES] == [name in expected for name in NAMES]


def test_tasks_in_full_are_numbered_too() -> None:
    tasks = tuple(plan_of().tasks)
    numbers = TaskNumbers(tasks)
    assert [numbers.number(task.id) for task in tasks] == list(range(6))
    assert TaskList(tasks) == tasks


def test_a_million_planned_tasks_are_not_kept() -> None:
    made: list[PlannedTask] = list(plan_of(1_000_000).tasks[999_999:])
    assert [task.id for task in made] == ["task-999998", "task-999999"]
