"""A reader that goes away ends nothing: `orchestrator run JOB | head -1` cleans up like any other."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path

import pytest

from tests.acceptance.jobs import standing, write_job
from tests.acceptance.program import Running, orchestrator


@pytest.mark.parametrize("output", ["json", "text"])
@pytest.mark.parametrize(("command", "code"), [("wc -w {file} > words.out", 0), ("exit 3", 1)])
def test_the_run_goes_on_quietly_and_its_result_decides_the_exit_code(
    tmp_path: Path, env_file: Path, output: str, command: str, code: int
) -> None:
    job = write_job(tmp_path, files=1, command=command)
    before = standing(env_file)
    with Running("run", job, "--output", output, "--env-file", env_file, home=tmp_path) as run:
        assert run.line()
        run.stop_reading()
        assert run.end() == (code, "")
    assert standing(env_file) == before
    assert len(list((tmp_path / "results").glob("*/t-0/stdout.txt"))) == 1


def test_what_is_left_behind_still_wins(tmp_path: Path, env_file: Path) -> None:
    job = write_job(tmp_path, files=1, command="sleep 300")
    with Running("run", job, "--output", "json", "--env-file", env_file, home=tmp_path) as run:
        run.until("TasksSubmitted")
        run.stop_reading()
        run.signal(signal.SIGINT)
        run.signal(signal.SIGTERM)  # another one, since two of a kind may come as one
        code, _ = run.end()
    assert code == 4


def test_remarks_that_nobody_reads_end_nothing_either(tmp_path: Path, env_file: Path) -> None:
    job = write_job(tmp_path, files=1, command="sleep 300")
    before = standing(env_file)
    with Running(
        "run",
        job,
        "--output",
        "json",
        "--env-file",
        env_file,
        home=tmp_path,
        stderr=subprocess.STDOUT,
    ) as run:
        run.until("TasksSubmitted")
        run.stop_reading()
        run.signal(signal.SIGINT)
        assert run.end()[0] == 130
    assert standing(env_file) == before


def test_a_short_answer_that_nobody_reads_is_no_error(tmp_path: Path) -> None:
    with Running("schema", home=tmp_path) as schema:
        schema.stop_reading()
        assert schema.end() == (0, "")
    with Running("check", "gone.toml", home=tmp_path, stderr=subprocess.STDOUT) as check:
        check.stop_reading()
        assert check.end()[0] == 2 == orchestrator("check", "gone.toml", home=tmp_path).returncode
