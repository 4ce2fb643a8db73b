"""`orchestrator gc` on the command line: it lists, and deletes when told to."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from azure.storage.blob import BlobServiceClient

from tests.acceptance.program import orchestrator

MARKS = {
    "orchestrator_run": "r-1",
    "orchestrator_owner": "machine-1",
    "orchestrator_expires": "2026-01-01T00:00:00Z",
}


@pytest.fixture
def expired(env_file: Path) -> Iterator[str]:
    """The name of a container that has expired."""
    settings = dict(line.split("=", 1) for line in env_file.read_text().splitlines())
    with BlobServiceClient.from_connection_string(settings["AZURE_STORAGE_CONNECTION_STRING"]) as blobs:
        blobs.create_container("in-r-1", metadata=MARKS)
        yield "in-r-1"
        if blobs.get_container_client("in-r-1").exists():
            blobs.delete_container("in-r-1")


def test_without_a_terminal_and_without_yes_it_only_lists(
    env_file: Path, tmp_path: Path, expired: str
) -> None:
    done = orchestrator("gc", "--env-file", env_file, home=tmp_path)
    assert done.returncode == 4
    assert f"container {expired}: expired " in done.stdout
    assert "run r-1 of machine-1" in done.stdout
    assert "1 expired; 0 node(s) running" in done.stdout
    assert "--yes" in done.stderr
    assert orchestrator("gc", "--env-file", env_file, home=tmp_path).stdout.count("container") == 1


def test_with_yes_it_deletes_and_tells_and_then_nothing_is_left(
    env_file: Path, tmp_path: Path, expired: str
) -> None:
    done = orchestrator("gc", "--env-file", env_file, "--yes", "--output", "json", home=tmp_path)
    assert done.returncode == 0
    found, collected = map(json.loads, done.stdout.splitlines())
    assert (found["found"]["id"], found["found"]["needed_by"]) == (expired, None)
    assert collected == {"collected": {"kind": "container", "id": expired, "fate": "deleted", "reason": ""}}
    again = orchestrator("gc", "--env-file", env_file, home=tmp_path)
    assert (again.returncode, again.stdout) == (0, "nothing has expired\n")


def test_it_starts_no_service_to_look_for_garbage_in(tmp_path: Path) -> None:
    done = orchestrator("gc", home=tmp_path)
    assert done.returncode == 2
    assert "no running local service is named" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "told"),
    [(["--grace", "soon"], "--grace"), (["--prices", "none.toml"], "none.toml: can't be read")],
)
def test_a_wrong_option_is_named(env_file: Path, tmp_path: Path, arguments: list[str], told: str) -> None:
    done = orchestrator("gc", "--env-file", env_file, *arguments, home=tmp_path)
    assert done.returncode == 2
    assert told in done.stderr
