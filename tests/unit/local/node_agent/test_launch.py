"""Splitting a command line and finding its program."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.local.node_agent import launch
from orchestrator.local.node_agent.failures import NodeFailure

WORDS = st.text(alphabet=st.characters(exclude_characters="\0", codec="utf-8"), min_size=1, max_size=20)


@given(words=st.lists(WORDS, min_size=1, max_size=6))
def test_quoted_words_survive_the_split(words: list[str]) -> None:
    assert launch.split(shlex.join(words)) == words


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('/bin/bash -c "echo test"', ["/bin/bash", "-c", "echo test"]),
        ("echo $HOME *.txt ; ls | wc", ["echo", "$HOME", "*.txt", ";", "ls", "|", "wc"]),
        ("a '' b", ["a", "", "b"]),
        ("a # b", ["a", "#", "b"]),
    ],
)
def test_no_shell_looks_at_a_command_line(line: str, words: list[str]) -> None:
    assert launch.split(line) == words


@pytest.mark.parametrize("line", ["", "   ", "echo 'open", "''", "a\0b"])
def test_a_line_without_a_program_fails_as_a_launch(line: str) -> None:
    with pytest.raises(NodeFailure) as caught:
        launch.split(line)
    assert caught.value.failure["code"] == "CommandLaunchFailed"
    assert caught.value.failure["category"] == "UserError"


def program(path: Path, *, mode: int = 0o755) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(mode)
    return path


def test_a_bare_name_is_looked_for_on_the_tasks_path_only(tmp_path: Path) -> None:
    tool = program(tmp_path / "bin" / "tool")
    program(tmp_path / "wd" / "other")
    search_path = f"{tmp_path / 'nowhere'}:{tool.parent}"
    assert launch.find_program("tool", working_directory=tmp_path / "wd", search_path=search_path) == str(
        tool
    )
    with pytest.raises(NodeFailure, match="CommandProgramNotFound"):
        launch.find_program("other", working_directory=tmp_path / "wd", search_path=search_path)


def test_a_relative_path_is_relative_to_the_working_directory(tmp_path: Path) -> None:
    tool = program(tmp_path / "wd" / "tool")
    assert launch.find_program("./tool", working_directory=tmp_path / "wd", search_path="") == str(tool)


def test_a_program_that_may_not_be_executed_is_not_a_missing_one(tmp_path: Path) -> None:
    program(tmp_path / "wd" / "tool", mode=0o644)
    for name in ("./tool", "../wd"):
        with pytest.raises(NodeFailure, match="CommandLaunchFailed"):
            launch.find_program(name, working_directory=tmp_path / "wd", search_path="")
