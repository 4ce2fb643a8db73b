from __future__ import annotations

import pytest

from orchestrator.daemon.advice import advice
from orchestrator.daemon.task_table import TaskTable
from orchestrator.states import FailureClass, FailureInfo

EXITED = FailureInfo(category="usererror", code="FailureExitCode")


@pytest.mark.parametrize("failure_class", list(FailureClass))
def test_every_class_of_failure_has_a_remedy(failure_class: FailureClass) -> None:
    assert advice(failure_class, None, None).endswith(".")


def test_no_two_classes_have_the_same_remedy() -> None:
    assert len({advice(one, None, None) for one in FailureClass}) == len(FailureClass)


@pytest.mark.parametrize(
    ("failure", "exit_code", "told"),
    [
        (EXITED, 1, "stderr"),
        (EXITED, 137, "memory"),
        (EXITED, -9, "memory"),
        (EXITED, 127, "did not find the program"),
        (FailureInfo(category="usererror", code="CommandProgramNotFound"), None, "start task"),
        (FailureInfo(category="usererror", code="TaskEnded"), None, "max_wall_clock_time"),
        (FailureInfo(category="usererror", code="DiskFull"), 1, "disk"),
    ],
)
def test_what_is_known_better_than_its_class_has_a_remedy_of_its_own(
    failure: FailureInfo, exit_code: int | None, told: str
) -> None:
    assert told in advice(FailureClass.USER, failure, exit_code)


def test_a_failed_task_is_shown_with_whose_doing_it_is_and_a_task_that_succeeded_is_not() -> None:
    table = TaskTable()
    for number, event in enumerate(("TaskFailed", "TaskSucceeded"), 1):
        failure = b'{"category":"usererror","code":"FailureExitCode"}' if event == "TaskFailed" else b"null"
        body = b'{"event":"%b","key":{"job_id":"j","task_id":"t-%d"},"state":"completed","failure":%b}'
        table.fold(number, event, body % (event.encode(), number, failure))
    failed, succeeded = table.get("t-1"), table.get("t-2")
    assert failed is not None
    assert succeeded is not None
    assert failed.failure_class is FailureClass.USER
    assert failed.remedy
    assert succeeded.failure_class is None
    assert not succeeded.remedy
