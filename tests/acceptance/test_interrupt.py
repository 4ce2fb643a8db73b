from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.acceptance.jobs import standing, write_job
from tests.acceptance.program import LIMIT, Running, orchestrator, processes_with, user_environment


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_gives_up_what_is_unfinished_and_cleans_up(
    tmp_path: Path, env_file: Path, number: signal.Signals
) -> None:
    marker = f"sleep 31{os.getpid()}"
    job = write_job(tmp_path, command=f"test ! -s {{file}} || {marker}")
    with Running("run", job, "--output", "json", "--env-file", env_file, home=tmp_path) as run:
        run.until("OutputsDownloaded")
        run.signal(number)
        end = run.until("RunFinished")["result"]
        assert run.line() is None
        code, said = run.end()
    assert code == 130
    assert number.name in said
    assert end["abandoned"] == 2
    assert end["succeeded"] == 1
    assert end["leftovers"] == []
    held = standing(env_file)
    assert end["pool_id"] not in held["pool"]
    assert end["job_id"] not in held["job"]
    assert [name for name in held["container"] if end["run_id"] in name] == []
    assert processes_with(marker) == []


def test_the_second_signal_ends_at_once_and_what_is_left_is_listed(tmp_path: Path, env_file: Path) -> None:
    job = write_job(tmp_path, command="sleep 300")
    with Running("run", job, "--output", "json", "--env-file", env_file, home=tmp_path) as run:
        run.until("TasksSubmitted")
        run.signal(signal.SIGINT)
        run.until("RunInterrupted")
        run.signal(signal.SIGINT)
        end = run.until("RunFinished")["result"]
        code, _ = run.end()
    held = standing(env_file)
    there = {f"{kind} {name}" for kind, names in held.items() for name in names if end["run_id"] in name}
    assert there <= set(end["leftovers"])
    assert code == (4 if end["leftovers"] else 130)


def test_a_signal_before_anything_was_created_ends_with_130(tmp_path: Path) -> None:
    with Running("run", write_job(tmp_path), "--output", "json", home=tmp_path) as run:
        # The service that it starts is a child: once that is there, the program listens for signals.
        children = Path(f"/proc/{run.process.pid}/task/{run.process.pid}/children")
        deadline = time.monotonic() + LIMIT
        while not children.read_text().split():
            assert time.monotonic() < deadline
        run.signal(signal.SIGINT)
        assert run.line() is None
        assert run.end()[0] == 130
    assert processes_with(str(tmp_path)) == []


@pytest.mark.parametrize(("answer", "kept"), [("n", True), ("", False)])
def test_on_a_terminal_ask_asks(tmp_path: Path, env_file: Path, answer: str, kept: bool) -> None:
    job = write_job(tmp_path, files=1, pool="ask")
    ours, theirs = os.openpty()
    with subprocess.Popen(
        [
            sys.executable,
            "-m",
            "orchestrator",
            "run",
            str(job),
            "--output",
            "json",
            "--env-file",
            str(env_file),
        ],
        env=user_environment(tmp_path),
        cwd=tmp_path,
        stdin=theirs,
        stderr=theirs,
        stdout=subprocess.PIPE,
        start_new_session=True,
    ) as process:
        os.close(theirs)
        asked = b""
        while not asked.endswith(b"[Y/n] "):
            asked += os.read(ours, 1024)
        os.write(ours, f"{answer}\n".encode())
        output, _ = process.communicate(timeout=LIMIT)
        os.close(ours)
    assert process.returncode == 0
    end = json.loads(output.splitlines()[-1])["result"]
    assert f"Delete pool {end['pool_id']}? [Y/n] ".encode() in asked
    assert (end["pool_id"] in standing(env_file)["pool"]) == kept


def test_a_run_that_was_killed_leaves_the_results_of_the_next_one_alone(
    tmp_path: Path, env_file: Path
) -> None:
    job = write_job(tmp_path, files=1)
    with Running("run", job, "--output", "json", "--env-file", env_file, home=tmp_path) as run:
        run.until("JobCreated")
        run.signal(signal.SIGKILL)
        assert run.end()[0] == -signal.SIGKILL
    assert (
        orchestrator("run", job, "--output", "quiet", "--env-file", env_file, home=tmp_path).returncode == 0
    )
