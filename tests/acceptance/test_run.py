from __future__ import annotations

import itertools
import json
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.jobs import standing, write_job
from tests.acceptance.program import ROOT, orchestrator, processes_with


def events_of(output: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in output.splitlines()]


def test_json_tells_every_step_as_an_event_and_the_end_last(tmp_path: Path, env_file: Path) -> None:
    # Three waves, longer together than the time between two looks: downloads begin before the last has ended.
    job = write_job(tmp_path, files=12, command="sleep 0.7; wc -w {file} > words.out")
    said = orchestrator("run", job, "--output", "json", "--env-file", env_file, home=tmp_path)
    assert said.returncode == 0, said.stderr
    events = events_of(said.stdout)
    names = [event["event"] for event in events]
    assert names[0] == "RunStarted"
    assert names[-1] == "RunFinished"
    assert events[-1]["result"]["succeeded"] == 12
    ended = Counter(event["key"]["task_id"] for event in events if event["event"] == "TaskSucceeded")
    assert ended == {f"t-{number}": 1 for number in range(12)}
    last = max(index for index, name in enumerate(names) if name == "TaskSucceeded")
    assert "OutputDownloaded" in names[:last]
    assert uploads_that_overlap([event for event in events if event["event"] == "InputStaged"])
    assert len(list((tmp_path / "results").glob("*/t-*/words.out"))) == 12
    assert events[-1]["result"]["job_id"] not in standing(env_file)["job"]


def uploads_that_overlap(staged: list[dict[str, Any]]) -> bool:
    spans = sorted(
        (datetime.fromisoformat(event["started_at"]), datetime.fromisoformat(event["time"]))
        for event in staged
    )
    return any(later[0] < earlier[1] for earlier, later in itertools.pairwise(spans))


def test_a_failed_task_is_in_the_summary_with_its_code_and_its_stderr_is_on_disk(
    tmp_path: Path, env_file: Path
) -> None:
    job = write_job(tmp_path, command="test -s {file} || { echo no words >&2; exit 3; }; cp {file} words.out")
    said = orchestrator("run", job, "--env-file", env_file, home=tmp_path)
    assert said.returncode == 1, said.stderr
    summary = said.stdout.split("\nstart ")[1]
    row = next(line for line in summary.splitlines() if line.startswith("t-0"))
    assert "exit code 3" in row
    stderr = tmp_path / row.split()[-1]  # named from where the user stands
    assert stderr.name == "stderr.txt"
    assert stderr.read_text() == "no words\n"
    assert len(list((tmp_path / "results").glob("*/t-*/words.out"))) == 2
    for word in ("end ", "elapsed", "results: "):
        assert word in summary


def test_quiet_says_nothing_of_a_run_that_goes_well(tmp_path: Path, env_file: Path) -> None:
    job = write_job(tmp_path, files=1)
    said = orchestrator("run", job, "--output", "quiet", "--env-file", env_file, home=tmp_path)
    assert (said.returncode, said.stdout, said.stderr) == (0, "", "")


def test_keep_keeps_everything_and_says_so(tmp_path: Path, env_file: Path) -> None:
    job = write_job(tmp_path, files=1)
    said = orchestrator(
        "run",
        job,
        "--keep",
        "--output",
        "json",
        "--download-dir",
        "elsewhere",
        "--env-file",
        env_file,
        home=tmp_path,
    )
    assert said.returncode == 0, said.stderr
    end = events_of(said.stdout)[-1]["result"]
    held = standing(env_file)
    assert end["pool_id"] in held["pool"]
    assert end["job_id"] in held["job"]
    assert len([name for name in held["container"] if end["run_id"] in name]) == 2
    assert set(end["kept"]) >= {f"pool {end['pool_id']}", f"job {end['job_id']}"}
    assert end["leftovers"] == []
    assert list((tmp_path / "elsewhere").glob("*/t-0/words.out"))


def test_a_time_limit_that_passes_ends_with_five_and_names_what_was_unfinished(
    tmp_path: Path, env_file: Path
) -> None:
    job = write_job(tmp_path, files=1, command="sleep 300", top='timeout = "1s"')
    said = orchestrator("run", job, "--env-file", env_file, home=tmp_path)
    assert said.returncode == 5, said.stderr
    assert "t-0" in said.stdout
    assert "error: " in said.stdout


def test_without_a_terminal_ask_is_on_success_and_that_is_said(tmp_path: Path, env_file: Path) -> None:
    job = write_job(tmp_path, files=1, pool="ask")
    said = orchestrator("run", job, "--output", "json", "--env-file", env_file, home=tmp_path)
    assert said.returncode == 0
    assert "on_success is used for pool" in said.stderr
    assert events_of(said.stdout)[-1]["result"]["pool_id"] not in standing(env_file)["pool"]


def test_without_a_service_it_starts_its_own_and_leaves_no_process(tmp_path: Path) -> None:
    job = write_job(tmp_path, files=1)
    said = orchestrator("run", job, "--output", "json", home=tmp_path)
    assert said.returncode == 0, said.stderr
    assert events_of(said.stdout)[-1]["result"]["leftovers"] == []
    assert processes_with(str(tmp_path)) == []


def test_the_example_counts_the_words_of_three_books(tmp_path: Path, env_file: Path) -> None:
    job = ROOT / "examples/topnwords/job.toml"
    said = orchestrator("run", job, "--download-dir", tmp_path / "out", "--env-file", env_file, home=tmp_path)
    assert said.returncode == 0, said.stderr
    assert len(list((tmp_path / "out").glob("topnwords/*/*_OUTPUT.txt"))) == 3


@pytest.mark.parametrize("where", ["no-such-file.env", "empty.env"])
def test_wrong_settings_of_a_service_end_with_two(tmp_path: Path, where: str) -> None:
    (tmp_path / "empty.env").touch()
    said = orchestrator("run", write_job(tmp_path), "--env-file", where, home=tmp_path)
    assert said.returncode == 2
    assert len(said.stderr.splitlines()) == 1
