from __future__ import annotations

from pathlib import Path

import pytest

from tests.acceptance.program import ROOT, orchestrator

POOL = """
[pool]
id = "small"
vm_size = "standard_d2s_v3"
image = { publisher = "canonical", offer = "ubuntu-24_04-lts", sku = "server" }
target_dedicated_nodes = 1
"""
TASK = """
[[tasks]]
id = "one"
command_line = "true"
"""

WRONG = {
    "an id with a space": ('id = "a b"' + POOL + TASK, "job.toml: id"),
    "no id": (POOL + TASK, "job.toml: id"),
    "an unknown key": ('id = "a"\ntimeot = "1m"' + POOL + TASK, "job.toml: timeot"),
    "an impossible duration": ('id = "a"\ntimeout = "soon"' + POOL + TASK, "job.toml: timeout"),
    "no tasks": ('id = "a"' + POOL, "job.toml"),
    "no file for a pattern": (
        'id = "a"' + POOL + '[task_factory]\nper_file = "data/*.txt"\ncommand_line = "true"',
        "job.toml: task_factory.per_file",
    ),
    "a missing resource file": (
        'id = "a"' + POOL + TASK + 'resource_files = ["gone.txt"]',
        "job.toml: tasks[0].resource_files[0]",
    ),
    "a number of the wrong kind": ('id = "a"\npriority = "high"' + POOL + TASK, "job.toml: priority"),
    "a clean-up policy that is none": (
        'id = "a"' + POOL + TASK + '[cleanup]\npool = "maybe"',
        "job.toml: cleanup.pool",
    ),
    "an address with a SAS": (
        'id = "a"'
        + POOL
        + TASK
        + 'resource_files = [{ http_url = "https://a.example/c/b?sv=1&sig=abc", file_path = "b" }]',
        "job.toml: tasks[0].resource_files[0].http_url",
    ),
    "a secret that is not set": (
        'id = "a"' + POOL + TASK + 'environment = { TOKEN = { secret = "env:NOT_SET_ANYWHERE" } }',
        "job.toml: tasks[0].environment.TOKEN",
    ),
    "no TOML": ("id = ", "job.toml"),
}


@pytest.mark.parametrize("verb", ["check", "run"])
@pytest.mark.parametrize("mistake", WRONG)
def test_a_wrong_job_file_is_an_error_that_names_the_place(tmp_path: Path, verb: str, mistake: str) -> None:
    text, place = WRONG[mistake]
    (tmp_path / "job.toml").write_text(text)
    said = orchestrator(verb, "job.toml", home=tmp_path)
    assert said.returncode == 2
    assert said.stdout == ""
    (message,) = said.stderr.splitlines()
    assert message.startswith(f"orchestrator: {place}")


@pytest.mark.parametrize("mistake", ["an id with a space", "a missing resource file"])
def test_nothing_is_created_for_a_wrong_job_file(tmp_path: Path, mistake: str) -> None:
    (tmp_path / "job.toml").write_text(WRONG[mistake][0])
    orchestrator("run", "job.toml", home=tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["job.toml"]


def test_check_tells_what_would_be_created_and_touches_nothing(tmp_path: Path) -> None:
    said = orchestrator("check", ROOT / "examples/topnwords/job.toml", home=tmp_path)
    assert said.returncode == 0
    for word in ("topnwords", "3 tasks", "small", "3 files", "clean-up"):
        assert word in said.stdout
    assert list(tmp_path.iterdir()) == []


def test_an_escape_sequence_in_a_file_name_is_shown_and_not_obeyed(tmp_path: Path) -> None:
    (tmp_path / "\x1b[31mred.txt").touch()
    factory = '[task_factory]\nper_file = "*.txt"\ncommand_line = "wc {file}"'
    (tmp_path / "job.toml").write_text('id = "a"' + POOL + factory)
    said = orchestrator("check", "job.toml", home=tmp_path)
    assert said.returncode == 0
    assert "\x1b" not in said.stdout
    assert "\\x1b[31mred.txt" in said.stdout
