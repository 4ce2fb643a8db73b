from __future__ import annotations

from pathlib import Path

import pytest

from tests.compat.az import IMAGE, Az
from tests.compat.clients import CLI, PythonClients
from tests.compat.service import client_environment

pytestmark = [pytest.mark.compat, pytest.mark.timeout(300)]


def test_az_works_over_https_with_the_services_own_authority(
    secure_settings: dict[str, str], tmp_path: Path
) -> None:
    assert CLI.stands(PythonClients.tool()), "az is not installed: make test-compat"
    az = Az(client_environment(tmp_path, secure_settings), tmp_path)
    size = ("--vm-size", "Standard_D2s_v3", "--target-dedicated-nodes", 1)
    az("pool", "create", "--id", "p", *size, *IMAGE)
    az("job", "create", "--id", "j", "--pool-id", "p")
    task = ("--job-id", "j", "--task-id", "t")
    az("task", "create", *task, "--command-line", "/bin/sh -c 'echo over https'")
    az.until(lambda seen: seen["state"] == "completed", "task", "show", *task)
    file = tmp_path / "stdout"
    az("task", "file", "download", *task, "--file-path", "stdout.txt", "--destination", file)
    assert file.read_bytes() == b"over https\n"
    az("pool", "delete", "--pool-id", "p", "--yes")


def test_az_refuses_an_authority_that_it_was_not_told_of(
    secure_settings: dict[str, str], tmp_path: Path
) -> None:
    az = Az(client_environment(tmp_path, secure_settings), tmp_path)
    done = az.run("pool", "list", REQUESTS_CA_BUNDLE=None, SSL_CERT_FILE=None)
    assert done.returncode != 0
    assert "certificate" in done.stderr.lower()
