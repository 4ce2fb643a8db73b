"""The verbs that look into a daemon and steer it: what they say, and that they mean the run that is named."""

from __future__ import annotations

import json
import re
import signal
from pathlib import Path

from tests.acceptance.daemon.daemons import Daemon, job, until
from tests.acceptance.program import Running, orchestrator


def say(daemon: Daemon, *arguments: object) -> str:
    said = orchestrator(*arguments, "--daemon", daemon.state / "daemon.sock", home=daemon.home)
    assert said.returncode == 0, said.stderr
    return said.stdout


def refuse(daemon: Daemon, *arguments: object) -> str:
    said = orchestrator(*arguments, "--daemon", daemon.state / "daemon.sock", home=daemon.home)
    assert said.returncode == 2, said.stdout
    return said.stderr


def test_a_run_that_is_over_is_shown_with_its_tasks_and_what_to_do_about_failures(daemon: Daemon) -> None:
    run = daemon.submit(job("true", "exit 3"))
    daemon.ended(run)
    told = say(daemon, "show", run, "--tasks")
    assert re.search(r"^task +t-0  succeeded   exit code 0  tvm", told, re.MULTILINE), told
    assert re.search(r"^failed +t-1: .*\n +The command itself failed", told, re.MULTILINE), told
    assert re.search(r"^ended +\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$", told, re.MULTILINE), told
    lines = [
        json.loads(line) for line in say(daemon, "show", run, "--tasks", "--output", "json").splitlines()
    ]
    assert [line.get("task_id") for line in lines] == [None, "t-0", "t-1"]
    assert say(daemon, "cancel", run) == f"{run} is over: tasks_failed\n"
    again = say(daemon, "retry", run).strip()
    assert daemon.ended(again)["submitter"] == "http"
    assert say(daemon, "clean", again) == "1 run forgotten\n"
    assert say(daemon, "clean") == "1 run forgotten\n"
    assert say(daemon, "clean") == "0 runs forgotten\n"


def test_a_run_that_waits_says_what_for_and_is_cancelled_at_once(daemon: Daemon) -> None:
    runs = [daemon.submit(job("sleep 30")) for _ in range(5)]
    assert "waits for    4 runs are under way" in say(daemon, "show", runs[-1])
    assert say(daemon, "cancel", runs[-1]) == f"{runs[-1]} is over: cancelled\n"
    assert say(daemon, "cancel", runs[0]) == f"{runs[0]} is being cancelled\n"
    for run in runs[1:4]:
        say(daemon, "cancel", run)
    assert {daemon.ended(run)["outcome"] for run in runs} == {"cancelled"}


def test_what_was_typed_is_never_taken_for_another_run(daemon: Daemon) -> None:
    run = daemon.submit(job("true"))
    daemon.ended(run)
    for typed in (f"x/../{run}", f"{run}?", f"{run}#", "", ".."):
        assert "there is no run" in refuse(daemon, "clean", typed)
    assert daemon.ask("GET", f"/v1/runs/{run}")[0] == 200
    # In the words of the command line, not of the API.
    assert "`orchestrator list` shows them" in refuse(daemon, "show", "nothing")
    assert "`orchestrator show RUN --tasks` shows them" in refuse(daemon, "logs", run, "nothing")


def test_who_watches_is_told_that_the_daemon_is_away_and_goes_on_after_it(daemon: Daemon) -> None:
    run = daemon.submit(job("sleep 4"))
    log = daemon.home / "watch.log"
    where = ("--daemon", daemon.state / "daemon.sock")
    with log.open("wb") as said, Running("watch", run, *where, home=daemon.home, stderr=said.fileno()) as it:
        while "running" not in (it.line() or "running"):
            pass
        daemon.kill()
        until(lambda: "waiting for it to come back" in log.read_text(), "it says that the daemon is away")
        daemon.start()
        assert it.end()[0] == 0
    assert log.read_text().count("waiting for it to come back") == 1


def test_a_daemon_that_has_ended_is_told_with_the_system_s_reason(daemon: Daemon) -> None:
    assert daemon.end(signal.SIGINT) == 0
    where = daemon.state / "daemon.sock"
    said = orchestrator("list", "--daemon", where, home=daemon.home)
    assert said.returncode == 3
    assert "No such file or directory; is the daemon running?" in said.stderr
    assert "`orchestrator daemon` starts one" in said.stderr


def test_what_the_configuration_names_and_is_not_there_is_found_by_check(tmp_path: Path) -> None:
    config = tmp_path / "daemon.toml"
    config.write_text('tokens.read = { secret = "env:NOT_THERE" }')
    said = orchestrator("daemon", "--check", "--config", config, home=tmp_path)
    assert said.returncode == 2
    assert "daemon.toml: tokens.read: " in said.stderr
    config.write_text("log_levle = 'info'")
    said = orchestrator("daemon", "--check", "--config", config, home=tmp_path)
    assert 'log_levle: unknown key; did you mean "log_level"?' in said.stderr
