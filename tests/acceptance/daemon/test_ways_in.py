"""Jobs come in by HTTP, from a folder and from the command line; results are on the disk."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from tests.acceptance.daemon.daemons import Daemon, job, until
from tests.acceptance.jobs import write_job
from tests.acceptance.program import orchestrator


def at(daemon: Daemon) -> list[str]:
    return ["--daemon", str(daemon.state / "daemon.sock")]


def test_a_job_by_http_runs_and_its_outputs_are_given_out(daemon: Daemon) -> None:
    wanted = job("echo one; echo x > a.out", "echo two >&2; exit 3")
    wanted["tasks"][0]["output_files"] = ["*.out"]
    view = daemon.ended(daemon.submit(wanted))
    run = f"/v1/runs/{view['id']}"
    assert (view["outcome"], view["result"]["succeeded"], view["result"]["failed"]) == ("tasks_failed", 1, 1)
    assert Path(view["result"]["download_dir"]).is_relative_to(daemon.state / "results")
    tasks = daemon.ask("GET", f"{run}/tasks")[1]["tasks"]
    assert [(task["task_id"], task["succeeded"], task["exit_code"]) for task in tasks] == [
        ("t-0", True, 0),
        ("t-1", False, 3),
    ]
    assert daemon.ask("GET", f"{run}/tasks?state=failed")[1]["tasks"][0]["task_id"] == "t-1"
    assert daemon.ask("GET", f"{run}/tasks/t-1/stderr")[1] == b"two\n"
    paths = [output["path"] for output in daemon.ask("GET", f"{run}/outputs")[1]["outputs"]]
    assert "t-0/a.out" in paths
    assert daemon.ask("GET", f"{run}/outputs/t-0/a.out")[1] == b"x\n"


def test_toml_is_taken_too_and_the_failed_tasks_can_be_done_again(daemon: Daemon, tmp_path: Path) -> None:
    flag = tmp_path / "flag"
    text = json.dumps(f"test -e {flag} && echo again-{{index}}")
    toml = f"""
id = "fixed"
tasks = [ {{ id = "good", command_line = "true" }}, {{ id = "bad", command_line = {text} }} ]
[pool]
id = "pool-{{run}}"
vm_size = "standard_d2s_v3"
image = {{ publisher = "canonical", offer = "ubuntu-24_04-lts", sku = "server" }}
target_dedicated_nodes = 1
[cleanup]
job = "always"
"""
    status, view = daemon.ask("POST", "/v1/runs", toml.encode(), headers={"Content-Type": "application/toml"})
    assert status == 201, view
    first = daemon.ended(view["id"])
    assert first["result"]["failed"] == 1
    flag.touch()
    status, second = daemon.ask("POST", f"/v1/runs/{first['id']}/retry-failed")
    assert (status, second["parent"], second["job_id"]) == (201, first["id"], "fixed-again")
    assert daemon.ended(second["id"])["result"]["succeeded"] == 1
    assert daemon.ask("GET", f"/v1/runs/{second['id']}/tasks/bad/stdout")[1] == b"again-1\n"
    assert daemon.ask("POST", f"/v1/runs/{second['id']}/retry-failed")[0] == 409


def test_a_job_and_its_files_are_handed_in_from_the_command_line(daemon: Daemon, tmp_path: Path) -> None:
    folder = tmp_path / "away"
    folder.mkdir()
    path = write_job(folder, files=2)
    said = orchestrator("submit", path, "--watch", "--output", "json", *at(daemon), home=tmp_path)
    assert said.returncode == 0, said.stderr
    end = json.loads(said.stdout.splitlines()[-1])
    assert (end["event"], end["result"]["succeeded"]) == ("RunFinished", 2)
    run_id = end["run_id"]
    assert run_id in orchestrator("list", *at(daemon), home=tmp_path).stdout
    assert "succeeded" in orchestrator("show", run_id, *at(daemon), home=tmp_path).stdout
    assert orchestrator("logs", run_id, "t-0", *at(daemon), home=tmp_path).returncode == 0
    assert len(list((daemon.state / "uploads").iterdir())) == 1
    assert orchestrator("clean", *at(daemon), home=tmp_path).returncode == 0
    assert daemon.ask("GET", "/v1/runs")[1]["runs"] == []
    assert list((daemon.state / "uploads").iterdir()) == []
    assert list((daemon.state / "results").glob("*/*/t-0/words.out"))


def test_a_job_that_can_not_be_right_ends_the_command_with_two(daemon: Daemon, tmp_path: Path) -> None:
    path = write_job(tmp_path, top='environment = { A = { secret = "env:HOME" } }')
    said = orchestrator("submit", path, *at(daemon), home=tmp_path)
    assert said.returncode == 2
    assert "allowed_secrets" in said.stderr
    assert orchestrator("show", "nothing", *at(daemon), home=tmp_path).returncode == 2


def test_without_a_daemon_the_command_says_so(tmp_path: Path) -> None:
    (tmp_path / "t").write_text("t")
    said = orchestrator("list", "--daemon", "http://127.0.0.1:9", "--token-file", "t", home=tmp_path)
    assert said.returncode == 3
    assert "is the daemon running?" in said.stderr


def test_a_job_file_dropped_in_is_taken_and_a_wrong_one_refused_with_the_reason(
    daemon: Daemon, tmp_path: Path
) -> None:
    path = write_job(tmp_path, files=1)
    shutil.copytree(tmp_path / "data", daemon.inbox / "data")
    shutil.copy(path, daemon.inbox / "good.toml")
    (daemon.inbox / "bad.toml").write_text("id = 3")
    until(lambda: list((daemon.inbox / "accepted").glob("good.*.toml")), "the good one is accepted")
    until((daemon.inbox / "refused/bad.toml").exists, "the bad one is refused")
    assert "bad.toml: " in (daemon.inbox / "refused/bad.toml.reason.txt").read_text()
    (accepted,) = (daemon.inbox / "accepted").iterdir()
    view = daemon.ended(accepted.name.split(".")[1])
    assert (view["source"], view["outcome"]) == ("inbox", "succeeded")
    # The same once more is another wish.
    shutil.copy(path, daemon.inbox / "good.toml")
    until(lambda: len(list((daemon.inbox / "accepted").iterdir())) == 2, "it is accepted again")
