"""Who may ask for what, what is refused and how, and listeners that do not read."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.acceptance.daemon.daemons import Daemon, job, until


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory, env_file: Path) -> Iterator[Daemon]:
    """One daemon for all tests that leave it as it is."""
    with Daemon(tmp_path_factory.mktemp("shared"), env_file, 'allowed_secrets = ["env:LANG"]') as running:
        yield running


def test_without_the_right_token_nothing_is_told_or_done(shared: Daemon) -> None:
    for path in ("/v1/runs", "/v1/events", "/metrics"):
        assert shared.ask("GET", path, token=None)[0] == 401
    assert shared.ask("GET", "/v1/runs", token=None, headers={"Authorization": "Bearer wrong"})[0] == 401
    assert shared.ask("GET", "/v1/runs", token="read")[0] == 200
    status, problem = shared.ask("POST", "/v1/runs", {"job": job("true")}, token="read")
    assert (status, problem["remedy"]) == (403, "use the one in write.token")
    for path in ("/healthz", "/readyz", "/openapi.json"):
        assert shared.ask("GET", path, token=None)[0] == 200
    for file in ("read.token", "write.token", "daemon.sqlite", "daemon.sock"):
        assert (shared.state / file).stat().st_mode & 0o077 == 0


def test_a_name_that_was_made_to_lead_here_and_a_foreign_page_are_refused(shared: Daemon) -> None:
    assert shared.ask("GET", "/v1/runs", headers={"Host": "evil.example"})[0] == 421
    assert shared.ask("GET", "/v1/runs", headers={"Origin": "https://evil.example"})[0] == 403
    own = (shared.state / "address").read_text().strip()
    assert shared.ask("GET", "/v1/runs", headers={"Origin": own})[0] == 200


@pytest.mark.parametrize(
    ("wanted", "where", "told"),
    [
        (job("true", tasks=[]), "job", ""),
        (job("true", download_dir=3), "job: download_dir", "text"),
        (job("true", task_factory={"per_file": "/etc/*.conf", "command_line": "cat"}), "", "outside"),
        (job("true", task_factory={"per_file": "../../*", "command_line": "cat"}), "", "outside"),
        (job("true", application={"files": ["/etc/passwd"]}), "job: application.files[0]", "outside"),
        (job("true", environment={"A": {"secret": "env:HOME"}}), "job: environment.A", "allowed_secrets"),
        (job("true", environment={"A": {"secret": "file:/etc/passwd"}}), "", "allowed_secrets"),
    ],
)
def test_a_job_that_can_not_be_right_or_reaches_out_is_refused_with_its_place(
    shared: Daemon, wanted: dict[str, Any], where: str, told: str
) -> None:
    status, problem = shared.ask("POST", "/v1/runs", {"job": wanted})
    assert status == 422, problem
    assert problem["where"].startswith(where)
    assert told in problem["detail"]
    assert problem["remedy"]


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"{", "application/json", 400),
        (b"\xff", "application/json", 400),
        (b'{"job": 3}', "application/json", 400),
        (b'{"job": {}}', "application/json", 422),
        (b"[" * 100_000, "application/json", 400),
        (b"= 3", "application/toml", 422),
        (b"\xff", "application/toml", 422),
        (b"x", "text/plain", 415),
        (b"x", "multipart/form-data", 400),
        (b"x", "multipart/form-data; boundary=b", 400),
        (b'--b\r\nContent-Disposition: form-data; name="file"; filename="../x"\r\n\r\nx\r\n--b--\r\n',
         "multipart/form-data; boundary=b", 400),
        (b'--b\r\nContent-Disposition: form-data; name="other"\r\n\r\nx\r\n--b--\r\n',
         "multipart/form-data; boundary=b", 400),
        (b"x" * (5 * 1024 * 1024), "application/toml", 413),
    ],
    ids=range(13),
)  # fmt: skip
def test_a_body_that_is_no_job_is_refused_and_nothing_is_kept(
    shared: Daemon, body: bytes, kind: str, status: int
) -> None:
    assert shared.ask("POST", "/v1/runs", body, headers={"Content-Type": kind})[0] == status
    assert list((shared.state / "uploads").iterdir()) == []


@pytest.mark.parametrize(
    "path",
    [
        "/v1/runs?limit=0",
        "/v1/runs?limit=x",
        "/v1/runs?limit=%D9%A3",
        "/v1/runs?phase=other",
    ],
)
def test_a_parameter_that_can_not_be_right_is_refused_by_name(shared: Daemon, path: str) -> None:
    status, problem = shared.ask("GET", path)
    assert status == 400
    assert problem["where"] in path


@pytest.mark.parametrize(
    "path", ["", "/tasks", "/tasks/a/stdout", "/outputs", "/outputs/a", "/events"], ids=str
)
def test_a_run_that_is_not_there_is_not_found(shared: Daemon, path: str) -> None:
    assert shared.ask("GET", f"/v1/runs/nothing{path}")[0] == 404


def test_an_unknown_path_and_method_are_told_in_the_same_form(shared: Daemon) -> None:
    assert shared.ask("GET", "/v2")[1]["status"] == 404
    assert shared.ask("PUT", "/v1/runs")[1]["status"] == 405


def test_the_same_key_with_the_same_body_is_the_same_run_and_with_another_refused(daemon: Daemon) -> None:
    first = daemon.submit(job("true"), Idempotency_Key="k")
    assert daemon.submit(job("true"), Idempotency_Key="k") == first
    status, _ = daemon.ask("POST", "/v1/runs", {"job": job("false")}, headers={"Idempotency-Key": "k"})
    assert status == 422
    daemon.ended(first)


def test_outputs_can_not_lead_out_of_the_results(daemon: Daemon, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("s")
    view = daemon.ended(daemon.submit(job("true")))
    folder = Path(view["result"]["download_dir"]) / view["job_id"]
    (folder / "link").symlink_to(tmp_path / "secret")
    for name in ("link", "..%2f..%2f..%2fwrite.token", "%2e%2e/%2e%2e/%2e%2e/write.token", "t-0"):
        assert daemon.ask("GET", f"/v1/runs/{view['id']}/outputs/{name}")[0] == 404, name
    assert "link" not in json.dumps(daemon.ask("GET", f"/v1/runs/{view['id']}/outputs")[1])


def test_a_log_can_be_followed_while_the_task_writes_it(daemon: Daemon) -> None:
    run_id = daemon.submit(job("for i in 1 2 3 4 5 6; do echo line $i; sleep 0.5; done"))
    path = f"/v1/runs/{run_id}/tasks/t-0"
    until(lambda: daemon.ask("GET", f"{path}/stdout")[0] == 200, "the task is there")
    connection, response = daemon.open("GET", f"{path}/stdout?follow=true")
    first = response.readline()
    assert first == b"line 1\n"
    assert daemon.ask("GET", f"/v1/runs/{run_id}")[1]["phase"] == "running"
    assert first + response.read() == b"".join(b"line %d\n" % number for number in range(1, 7))
    response.close()
    connection.close()


def test_a_listener_that_does_not_read_is_cut_off_with_a_reason_and_can_go_on(daemon: Daemon) -> None:
    run_id = daemon.submit(job(*["true"] * 300))
    daemon.ended(run_id)
    path = f"/v1/runs/{run_id}/events"
    address = urlsplit((daemon.state / "address").read_text().strip())
    with socket.socket() as slow:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow.connect((address.hostname, address.port))
        head = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {daemon.token()}\r\n\r\n"
        slow.sendall(head.encode())
        until(lambda: b"listeners_cut_off_total 1.0" in daemon.ask("GET", "/metrics")[1], "it is cut off")
        told = b""
        while piece := slow.recv(65536):
            told += piece
    assert told.endswith(b"\r\n0\r\n\r\n")
    assert b"event: ListenerCutOff" in told
    reason = json.loads(told.rpartition(b"data: ")[2].partition(b"\n")[0])
    seen = [int(line[4:]) for line in told.split(b"\n") if line.startswith(b"id: ")]
    rest = [number for number, _, _ in daemon.events(path, after=seen[-1])]
    assert reason["last_event_id"] >= seen[-1]
    assert seen + rest == [number for number, _, _ in daemon.events(path)]


def test_all_runs_can_be_listened_to_from_now_on(daemon: Daemon) -> None:
    daemon.ended(daemon.submit(job("true")))
    stream = daemon.events("/v1/events")
    run_id = daemon.submit(job("true"))
    _, name, content = next(stream)
    assert (name, content["run_id"]) == ("RunStarted", run_id)
    stream.close()
    daemon.ended(run_id)
