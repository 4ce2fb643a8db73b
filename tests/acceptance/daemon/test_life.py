"""What is accepted is not lost: not by kill -9, not by SIGTERM, and it is never begun twice."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

from tests.acceptance.daemon.daemons import Daemon, job, until
from tests.acceptance.jobs import standing
from tests.acceptance.program import orchestrator


def told(daemon: Daemon, event: str) -> list[dict[str, Any]]:
    return [line for line in daemon.said() if line["event"] == event]


def marks(path: Path) -> list[str]:
    return sorted(path.read_text().split()) if path.exists() else []


def test_runs_that_were_accepted_end_rightly_after_kill_9_at_once(
    daemon: Daemon, tmp_path: Path, env_file: Path
) -> None:
    ran = tmp_path / "ran"
    accepted = [
        daemon.submit(job(f"sleep 0.5; echo {number} >> {ran}"), Idempotency_Key=str(number))
        for number in range(6)
    ]
    daemon.kill()
    daemon.start()
    # Whoever did not get the answer asks again, and gets the same run.
    again = daemon.submit(job(f"sleep 0.5; echo 0 >> {ran}"), Idempotency_Key="0")
    assert again == accepted[0]
    views = [daemon.ended(run_id) for run_id in accepted]
    assert {view["outcome"] for view in views} == {"succeeded"}, views
    assert marks(ran) == [str(number) for number in range(6)]
    held = standing(env_file)
    assert not [name for names in held.values() for name in names for run_id in accepted if run_id in name]


def test_a_stream_goes_on_after_kill_9_without_a_gap(daemon: Daemon) -> None:
    run_id = daemon.submit(job("sleep 2", "sleep 3"))
    stream = daemon.events(f"/v1/runs/{run_id}/events")
    seen = [next(stream) for _ in range(4)]
    stream.close()
    daemon.kill()
    daemon.start()
    seen += list(daemon.events(f"/v1/runs/{run_id}/events", after=seen[-1][0]))
    assert [content["sequence"] for _, _, content in seen] == list(range(1, len(seen) + 1))
    assert [name for _, name, _ in seen].count("RunFinished") == 1
    assert seen[-1][1] == "RunFinished"
    numbers = [number for number, _, _ in daemon.events(f"/v1/runs/{run_id}/events")]
    assert numbers == [number for number, _, _ in seen]


def test_sigterm_lets_runs_end_and_those_in_line_begin_after_the_restart(daemon: Daemon) -> None:
    runs = [daemon.submit(job("sleep 1")) for _ in range(6)]
    views = [daemon.ask("GET", f"/v1/runs/{run_id}")[1] for run_id in runs]
    assert [view["place_in_line"] for view in views][-2:] == [1, 2]
    assert daemon.end() == 0
    assert not (daemon.state / "address").exists()
    assert not (daemon.state / "daemon.sock").exists()
    daemon.start()
    assert {daemon.ended(run_id)["outcome"] for run_id in runs} == {"succeeded"}
    begun = [event["run"] for event in daemon.said() if event["event"] == "daemon.took_up"]
    assert begun == []


def test_while_it_drains_nothing_is_taken_and_a_second_sigterm_leaves_all_to_the_journal(
    daemon: Daemon,
) -> None:
    run_id = daemon.submit(job("sleep 3"))
    until(lambda: daemon.ask("GET", f"/v1/runs/{run_id}/tasks")[1]["tasks"], "the run is under way")
    assert daemon.running is not None
    daemon.running.signal(signal.SIGTERM)
    until(lambda: daemon.ask("GET", "/readyz", token=None)[0] == 503, "it is not ready")
    status, problem = daemon.ask("POST", "/v1/runs", {"job": job("true")})
    assert (status, problem["status"]) == (503, 503)
    assert b"orchestrator_runs_under_way 1.0" in daemon.ask("GET", "/metrics")[1]
    assert daemon.end() == 0
    daemon.start()
    assert daemon.ended(run_id)["outcome"] == "succeeded"
    assert [event["run"] for event in daemon.said() if event["event"] == "daemon.took_up"] == [run_id]


def test_after_the_grace_what_is_left_goes_on_after_the_restart(tmp_path: Path, env_file: Path) -> None:
    with Daemon(tmp_path, env_file, grace=0.5) as daemon:
        run_id = daemon.submit(job("sleep 3"))
        until(lambda: daemon.ask("GET", f"/v1/runs/{run_id}/tasks")[1]["tasks"], "the run is under way")
        assert daemon.end() == 0
        daemon.start()
        assert daemon.ended(run_id)["outcome"] == "succeeded"


def test_a_cancelled_run_stays_cancelled_whether_it_waits_or_runs(daemon: Daemon) -> None:
    runs = [daemon.submit(job("sleep 30")) for _ in range(5)]
    for run_id in reversed(runs):
        assert daemon.ask("POST", f"/v1/runs/{run_id}/cancel")[0] == 202
    assert {daemon.ended(run_id)["outcome"] for run_id in runs} == {"cancelled"}


def test_a_reload_changes_limits_and_says_what_needs_a_restart(daemon: Daemon) -> None:
    config = daemon.home / "daemon.toml"
    changed = config.read_text().replace("max_runs = 4", "max_runs = 1")
    config.write_text(changed.replace('dir = "inbox"', 'dir = "other"'))
    assert daemon.running is not None
    daemon.running.signal(signal.SIGHUP)
    until(lambda: told(daemon, "daemon.reloaded"), "it is reloaded")
    assert told(daemon, "daemon.reloaded")[0]["changes"] == ["inbox needs a restart", "daemon_limits changed"]
    config.write_text("nonsense")
    daemon.running.signal(signal.SIGHUP)
    until(lambda: told(daemon, "daemon.not_reloaded"), "the second is refused")
    runs = [daemon.submit(job("sleep 0.5")) for _ in range(3)]
    assert len(daemon.ask("GET", "/v1/runs?phase=queued")[1]["runs"]) == 2
    assert {daemon.ended(run_id)["outcome"] for run_id in runs} == {"succeeded"}


def test_a_second_daemon_in_the_same_place_is_refused_and_so_is_a_wrong_configuration(
    daemon: Daemon, tmp_path: Path
) -> None:
    said = orchestrator("daemon", "--config", daemon.home / "daemon.toml", home=tmp_path)
    assert said.returncode == 2
    assert "another daemon uses" in said.stderr
    wrong = tmp_path / "wrong.toml"
    wrong.write_text("[listen]\nport = 'x'")
    said = orchestrator("daemon", "--check", "--config", wrong, home=tmp_path)
    assert said.returncode == 2
    assert "wrong.toml: listen.port: expected a whole number" in said.stderr
