"""The program on a terminal: what it shows there, what it asks, and whose answers it takes."""

from __future__ import annotations

import contextlib
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.jobs import standing, write_job
from tests.acceptance.program import Running
from tests.acceptance.terminal import Terminal

# Two names that differ in case only, so that one can't be brought here and is told. With U+009B a terminal's
# command begins, and U+202E turns the direction of what follows.
HOSTILE = r"for x in x X; do touch $(printf $x'\\302\\23331m\\342\\200\\256.out'); done; exit 3"


@contextlib.contextmanager
def on_a_terminal(*arguments: object, home: Path) -> Iterator[tuple[Running, Terminal]]:
    """The program with all its streams on a terminal; `--output json` takes stdout to a pipe."""
    with Terminal() as terminal:
        stdout = subprocess.PIPE if "json" in arguments else terminal.theirs
        with Running(
            *arguments, home=home, stdin=terminal.theirs, stdout=stdout, stderr=terminal.theirs
        ) as run:
            terminal.hand_over()
            yield run, terminal


def test_progress_is_redrawn_in_place_and_the_summary_stays(tmp_path: Path, env_file: Path) -> None:
    job = write_job(tmp_path, files=3, command="sleep 1; wc -w {file} > words.out")
    with on_a_terminal("run", job, "--env-file", env_file, home=tmp_path) as (run, terminal):
        for told in ("starting", "3 running", "remaining", "3 completed"):
            terminal.until(told)
        written = terminal.to_the_end()
        assert run.end()[0] == 0
    progress, summary = written.rsplit("\nstart ", 1)
    for line in ("uploads    3/3", "nodes      1/1", "tasks      3: ", "downloads  "):
        assert line in progress
    # Drawn over: the cursor goes up and lines are wiped, and at the end it is visible again.
    assert "\x1b[1A\x1b[2K" in progress
    assert written.rindex("\x1b[?25h") > written.rindex("\x1b[?25l")
    assert "uploads" not in summary
    table = [line.split() for line in summary.splitlines() if line.startswith("job-")]
    assert [row[1:] for row in table] == [["3", "3", "0", "0", "9", "0"]]


def test_names_that_steer_a_terminal_are_shown_and_not_obeyed(tmp_path: Path, env_file: Path) -> None:
    job = write_job(tmp_path, files=1, command=HOSTILE)
    arguments = ("run", job, "--download-dir", "\x1b]0;pwned\x07", "--env-file", env_file)
    with on_a_terminal(*arguments, home=tmp_path) as (run, terminal):
        written = terminal.to_the_end()
        assert run.end()[0] == 1
    assert "task t-0 failed: exit code 3" in written
    assert "\\x9b31m\\u202e.out could not be downloaded" in written
    assert "\\x1b]0;pwned\\x07" in written
    for obeyed in ("\x1b]", "\x07", "\x9b", "\u202e"):
        assert obeyed not in written


@pytest.mark.parametrize(("answer", "kept"), [("n\n", True), ("\n", False)])
def test_after_ctrl_c_ask_asks_and_waits_for_the_answer(
    tmp_path: Path, env_file: Path, answer: str, kept: bool
) -> None:
    job = write_job(tmp_path, files=1, command="sleep 300", pool="ask")
    arguments = ("run", job, "--output", "json", "--env-file", env_file)
    with on_a_terminal(*arguments, home=tmp_path) as (run, terminal):
        run.until("TasksSubmitted")
        run.signal(signal.SIGINT)
        terminal.until("? [Y/n] ")
        # Nobody has answered, so the pool is still there.
        assert any(name.startswith("pool-") for name in standing(env_file)["pool"])
        terminal.type(answer)
        end = run.until("RunFinished")["result"]
        assert run.end()[0] == 130
    assert (end["pool_id"] in standing(env_file)["pool"]) == kept
    assert end["leftovers"] == []


def test_a_second_ctrl_c_at_the_question_ends_at_once(tmp_path: Path, env_file: Path) -> None:
    job = write_job(tmp_path, files=1, command="sleep 300", pool="ask")
    arguments = ("run", job, "--output", "json", "--env-file", env_file)
    with on_a_terminal(*arguments, home=tmp_path) as (run, terminal):
        run.until("TasksSubmitted")
        run.signal(signal.SIGINT)
        terminal.until("? [Y/n] ")
        run.signal(signal.SIGINT)
        end = run.until("RunFinished")["result"]
        assert run.end()[0] == 4
    assert f"pool {end['pool_id']}" in end["leftovers"]
    assert end["pool_id"] in standing(env_file)["pool"]


def test_the_first_ctrl_c_at_the_question_means_yes(tmp_path: Path, env_file: Path) -> None:
    job = write_job(tmp_path, files=1, pool="ask")
    arguments = ("run", job, "--output", "json", "--env-file", env_file)
    with on_a_terminal(*arguments, home=tmp_path) as (run, terminal):
        terminal.until("? [Y/n] ")
        run.signal(signal.SIGINT)
        end = run.until("RunFinished")["result"]
        assert run.end()[0] == 0
    assert end["pool_id"] not in standing(env_file)["pool"]
