from __future__ import annotations

import json
import signal
import stat
import subprocess
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from tests.acceptance.program import LIMIT, Running, orchestrator, processes_with

SETTINGS = (
    "AZURE_BATCH_ACCOUNT",
    "AZURE_BATCH_ENDPOINT",
    "AZURE_BATCH_ACCESS_KEY",
    "AZURE_STORAGE_CONNECTION_STRING",
    "ORCHESTRATOR_LOCAL_CONTROL_KEY",
)


def status(url: str) -> int:
    try:
        with urlopen(url, timeout=LIMIT) as answer:
            return int(answer.status)
    except HTTPError as refused:
        with refused:
            return refused.code


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_tells_that_it_is_ready_and_its_settings_and_a_signal_leaves_no_process(
    tmp_path: Path, number: signal.Signals
) -> None:
    with Running("local", "--state-dir", tmp_path / "service", home=tmp_path) as service:
        assert service.line() == "ready"
        settings = dict(str(service.line()).split("=", 1) for _ in SETTINGS)
        assert tuple(settings) == SETTINGS
        assert status(f"{settings['AZURE_BATCH_ENDPOINT']}/pools?api-version=2025-06-01") in {401, 403}
        service.signal(number)
        assert service.end() == (0, "")
    assert processes_with(str(tmp_path)) == []


def test_with_an_env_file_the_settings_are_for_this_user_only_and_not_on_stdout(tmp_path: Path) -> None:
    env_file = tmp_path / "settings.env"
    with Running(
        "local", "--state-dir", tmp_path / "service", "--env-file", env_file, home=tmp_path
    ) as service:
        assert [service.line(), service.line()] == ["ready", str(env_file)]
        assert stat.S_IMODE(env_file.stat().st_mode) == 0o600
        assert tuple(line.split("=")[0] for line in env_file.read_text().splitlines()) == SETTINGS
        service.signal(signal.SIGTERM)
        assert service.line() is None
        assert service.end()[0] == 0


def test_it_ends_when_the_parent_that_holds_its_stdin_dies(tmp_path: Path) -> None:
    with Running(
        "local",
        "--state-dir",
        tmp_path / "service",
        "--until-stdin-closes",
        home=tmp_path,
        stdin=subprocess.PIPE,
    ) as service:
        assert service.line() == "ready"
        assert service.process.stdin is not None
        service.process.stdin.close()
        service.process.stdin = None
        assert service.end()[0] == 0
    assert processes_with(str(tmp_path)) == []


def test_two_services_can_not_share_a_state_folder(tmp_path: Path) -> None:
    with Running("local", "--state-dir", tmp_path / "service", home=tmp_path) as service:
        assert service.line() == "ready"
        said = orchestrator("local", "--state-dir", tmp_path / "service", home=tmp_path)
        assert said.returncode == 3
        (message,) = said.stderr.splitlines()
        assert "uses the state directory" in message
        service.signal(signal.SIGTERM)
        assert service.end()[0] == 0


def test_a_parent_that_holds_no_pipe_is_refused(tmp_path: Path) -> None:
    said = orchestrator("local", "--until-stdin-closes", home=tmp_path)
    assert said.returncode == 2
    assert "--until-stdin-closes" in said.stderr


def test_it_fails_as_a_script_says_and_another_process_reads_how_often(tmp_path: Path) -> None:
    script = tmp_path / "faults.toml"
    script.write_text('[[rules]]\nname = "busy"\nfault = { kind = "refuse" }\n')
    with Running(
        "local", "--state-dir", tmp_path / "service", "--faults", script, "--profile", "live", home=tmp_path
    ) as service:
        assert service.line() == "ready"
        settings = dict(str(service.line()).split("=", 1) for _ in SETTINGS)
        request = Request(
            f"{settings['AZURE_BATCH_ENDPOINT']}/_local/faults/busy",
            headers={"Orchestrator-Local-Control-Key": settings["ORCHESTRATOR_LOCAL_CONTROL_KEY"]},
        )
        with urlopen(request, timeout=LIMIT) as answer:
            assert json.load(answer)["fired"] == 0
        service.signal(signal.SIGTERM)
        assert service.end()[0] == 0


def test_a_script_that_makes_no_sense_is_refused_with_its_place(tmp_path: Path) -> None:
    script = tmp_path / "faults.toml"
    script.write_text('[[rules]]\nfault = { kind = "refuse", status = 200 }\n')
    said = orchestrator("local", "--faults", script, home=tmp_path)
    assert said.returncode == 2
    assert "faults.toml: rules[0].fault.status" in said.stderr
    missing = orchestrator("local", "--faults", tmp_path / "none.toml", home=tmp_path)
    assert missing.returncode == 2
    assert "none.toml" in missing.stderr
