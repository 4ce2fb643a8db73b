"""What follows from the way a command ended."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from orchestrator.local.node_agent import failures
from orchestrator.local.node_agent.attempt import Attempt, Phase, wanted


def attempt(*, final: bool = True) -> Attempt:
    return Attempt(
        execution_id="e",
        command_line="true",
        directory=Path("/node/task"),
        environment={},
        resource_files=(),
        output_files=(),
        final=final,
        started_at=datetime.now(UTC),
    )


def test_success_uploads_whether_or_not_it_is_the_last_attempt() -> None:
    for final in (True, False):
        one = attempt(final=final)
        one.command_ended(0)
        assert one.failure is None
        assert one.uploads


def test_a_failure_uploads_only_when_it_is_the_last_word() -> None:
    for final in (True, False):
        one = attempt(final=final)
        one.command_ended(3)
        assert one.failure == failures.failure_exit_code()
        assert one.uploads is final


def test_a_time_limit_is_always_the_last_word() -> None:
    one = attempt(final=False)
    one.expire()
    one.command_ended(-9)
    assert one.failure is not None
    assert one.failure["code"] == "TaskEnded"
    assert one.uploads


def test_what_was_ended_by_hand_uploads_nothing_and_keeps_its_first_code() -> None:
    one = attempt()
    one.kill(failures.ended("TaskEnded", "first"))
    one.kill(failures.ended("Other", "second"))
    one.command_ended(-9)
    assert one.failure is not None
    assert one.failure["message"] == "first"
    assert not one.uploads


def test_an_exit_code_comes_before_a_failed_upload() -> None:
    upload = failures.upload_failure(failures.Trouble.DENIED, {})
    one = attempt()
    one.command_ended(3)
    one.uploaded(upload)
    assert one.failure == failures.failure_exit_code()
    other = attempt()
    other.command_ended(0)
    other.uploaded(upload)
    assert (other.exit_code, other.failure) == (0, upload)


def test_an_impossible_move_raises_and_tells_its_story() -> None:
    one = attempt()
    with pytest.raises(RuntimeError, match=r"e: Phase.PREPARING can't become Phase.UPLOADING"):
        one.move(Phase.UPLOADING)


@pytest.mark.parametrize(
    ("exit_code", "expected"), [(0, ["default", "success", "both"]), (3, ["default", "failure", "both"])]
)
def test_the_condition_decides_what_goes_up(exit_code: int, expected: list[str]) -> None:
    files: list[dict[str, Any]] = [
        {"filePattern": "default"},
        {"filePattern": "success", "uploadOptions": {"uploadCondition": "TaskSuccess"}},
        {"filePattern": "failure", "uploadOptions": {"uploadCondition": "taskfailure"}},
        {"filePattern": "both", "uploadOptions": {"uploadCondition": "TaskCompletion"}},
    ]
    assert [file["filePattern"] for file in wanted(files, exit_code)] == expected
