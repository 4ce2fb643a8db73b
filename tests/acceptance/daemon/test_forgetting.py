"""What is kept no longer."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from tests.acceptance.daemon.daemons import Daemon, job, until


def events_of(daemon: Daemon) -> set[str]:
    """The runs of which the journal has events."""
    with closing(sqlite3.connect(daemon.state / "journal.sqlite")) as connection:
        rows = connection.execute("SELECT DISTINCT run_id FROM events JOIN runs ON run = runs.number")
        return {row[0] for row in rows}


def test_a_run_that_is_deleted_leaves_no_events_but_its_results(daemon: Daemon) -> None:
    runs = [daemon.submit(job("echo kept")) for _ in range(2)]
    for run_id in runs:
        daemon.ended(run_id)
    until(lambda: daemon.ask("DELETE", f"/v1/runs/{runs[0]}")[0] == 204, "it is forgotten")
    assert daemon.ask("GET", f"/v1/runs/{runs[0]}")[0] == 404
    assert events_of(daemon) == {runs[1]}
    assert [path.read_text() for path in (daemon.state / "results" / runs[0]).rglob("stdout.txt")] == [
        "kept\n"
    ]


def test_runs_that_ended_long_ago_are_forgotten_at_the_next_start(tmp_path: Path, env_file: Path) -> None:
    with Daemon(tmp_path, env_file, daemon_limits={"keep_days": 1e-6}) as daemon:
        run_id = daemon.submit(job("true"))
        assert list(events_of(daemon)) in ([], [run_id])
        daemon.ended(run_id)
        assert daemon.end() == 0
        daemon.start()
        until(lambda: daemon.ask("GET", f"/v1/runs/{run_id}")[0] == 404, "it is forgotten")
        assert events_of(daemon) == set()


def test_files_of_a_request_that_never_became_a_run_are_swept_at_the_next_start(daemon: Daemon) -> None:
    form = (
        b'--x\r\nContent-Disposition: form-data; name="job"\r\n\r\n%s\r\n'
        b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\nA\r\n--x--\r\n'
    )
    text = (
        'id = "files-{run}"\n[pool]\nid = "p-{run}"\nvm_size = "standard_d2s_v3"\n'
        "target_dedicated_nodes = 1\n"
        'image = { publisher = "canonical", offer = "ubuntu-24_04-lts", sku = "server" }\n'
        '[cleanup]\npool = "always"\njob = "always"\ncontainers = "always"\n'
        '[task_factory]\nper_file = "*.txt"\ncommand_line = "sleep 3"\n'
    )
    status, view = daemon.ask(
        "POST",
        "/v1/runs",
        form % text.encode(),
        headers={"Content-Type": "multipart/form-data; boundary=x"},
    )
    assert status == 201, view
    (needed,) = (daemon.state / "uploads").iterdir()
    daemon.kill()
    left = daemon.state / "uploads" / "half"
    left.mkdir()
    (left / "a.bin").write_bytes(b"x")
    daemon.start()
    assert list((daemon.state / "uploads").iterdir()) == [needed]
    assert daemon.ended(view["id"])["outcome"] == "succeeded"
