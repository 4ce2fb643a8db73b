"""`orchestrator local` over https, and the tokens for it."""

from __future__ import annotations

import os
import signal
import ssl
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from tests.acceptance.jobs import write_job
from tests.acceptance.program import LIMIT, Running, orchestrator


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where a service with https runs: its folder `state`, its settings `settings.env`."""
    folder = tmp_path_factory.mktemp("https")
    with Running(
        *("local", "--tls", "--state-dir", folder / "state", "--env-file", folder / "settings.env"),
        home=folder,
    ) as service:
        if service.line() != "ready":
            pytest.fail(f"no service: {service.end()}")
        yield folder
        service.signal(signal.SIGTERM)
        assert service.end()[0] == 0


def settings_in(home: Path) -> dict[str, str]:
    return dict(line.split("=", 1) for line in (home / "settings.env").read_text().splitlines())


def ask(home: Path, authorization: str) -> int:
    settings = settings_in(home)
    request = Request(f"{settings['AZURE_BATCH_ENDPOINT']}/pools?api-version=2025-06-01")
    request.add_header("Authorization", authorization)
    context = ssl.create_default_context(cafile=settings["ORCHESTRATOR_LOCAL_CA_FILE"])
    try:
        with urlopen(request, timeout=LIMIT, context=context) as answer:
            return int(answer.status)
    except HTTPError as refused:
        with refused:
            return refused.code


def test_a_run_over_https_needs_the_env_file_only(home: Path, tmp_path: Path) -> None:
    job = write_job(tmp_path)
    said = orchestrator("run", job, "--env-file", home / "settings.env", home=tmp_path)
    assert said.returncode == 0, said.stderr
    assert len(list((tmp_path / "results").rglob("words.out"))) == 3


def test_the_settings_in_the_environment_do_as_well(home: Path, tmp_path: Path) -> None:
    job = write_job(tmp_path, files=1)
    said = orchestrator("run", job, home=tmp_path, extra=settings_in(home))
    assert said.returncode == 0, said.stderr
    without = {
        name: value for name, value in settings_in(home).items() if not name.startswith("ORCHESTRATOR")
    }
    refused = orchestrator("run", job, home=tmp_path, extra=without)
    assert refused.returncode == 3
    assert "not trusted here" in refused.stdout


@pytest.mark.parametrize("option", ["--state-dir", "--env-file"])
def test_a_printed_token_opens_the_endpoint(home: Path, option: str) -> None:
    named = home / ("state" if option == "--state-dir" else "settings.env")
    said = orchestrator("local-token", option, named, "--hours", 2, home=home)
    assert (said.returncode, said.stderr) == (0, "")
    (token,) = said.stdout.splitlines()
    assert ask(home, f"Bearer {token}") == HTTPStatus.OK
    assert ask(home, f"Bearer {token}x") == HTTPStatus.UNAUTHORIZED


def test_a_token_needs_a_folder_that_a_service_has_used(tmp_path: Path) -> None:
    for option in ("--state-dir", "--env-file"):
        said = orchestrator("local-token", option, tmp_path / "none", home=tmp_path)
        assert (said.returncode, said.stdout) == (2, "")
        assert str(tmp_path / "none") in said.stderr


def test_tokens_for_blobs_without_https_are_refused(tmp_path: Path) -> None:
    said = orchestrator("local", "--blob-oauth", "--state-dir", tmp_path / "state", home=tmp_path)
    assert said.returncode == 2
    assert "--tls" in said.stderr


@pytest.mark.skipif(os.geteuid() == 0, reason="root is who may")
def test_users_of_their_own_without_root_are_refused(tmp_path: Path) -> None:
    said = orchestrator("local", "--isolate-users", "--state-dir", tmp_path / "state", home=tmp_path)
    assert said.returncode == 3
    assert "needs root" in said.stderr
