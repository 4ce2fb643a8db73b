"""A service as a process of its own, and clients that know no more of it than its settings."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.acceptance.program import Running, processes_with
from tests.compat.az import IMAGE, Az
from tests.compat.clients import CLI, PythonClients
from tests.compat.service import client_environment, read_settings, trust


@pytest.fixture(scope="session")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The settings of a service; at the end it leaves no process."""
    with _service(tmp_path_factory.mktemp("service")) as found:
        yield found


@pytest.fixture(scope="session")
def secure_settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The settings of one that speaks https, and whom clients trust then."""
    with _service(tmp_path_factory.mktemp("secure"), "--tls") as found:
        yield {**found, **trust(Path(found["ORCHESTRATOR_LOCAL_CA_FILE"]))}


@contextmanager
def _service(home: Path, *options: str) -> Iterator[dict[str, str]]:
    env_file = home / "settings.env"
    places = ("--state-dir", home / "state", "--env-file", env_file)
    with Running("local", *options, *places, home=home) as service:
        if service.line() != "ready":
            pytest.fail(f"no service: {service.end()}")
        yield read_settings(env_file)
        service.signal(signal.SIGTERM)
        assert service.end()[0] == 0
    assert processes_with(str(home)) == []


@pytest.fixture(scope="session")
def az(settings: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Az:
    """The command line, logged in by key, with a configuration of its own."""
    assert CLI.stands(PythonClients.tool()), "az is not installed: make test-compat"
    folder = tmp_path_factory.mktemp("az")
    return Az(client_environment(folder, settings), folder)


@pytest.fixture(scope="session")
def pool(az: Az) -> str:
    """A pool of one node that az has made."""
    az(
        "pool",
        "create",
        "--id",
        "shared",
        "--vm-size",
        "Standard_D2s_v3",
        *IMAGE,
        "--target-dedicated-nodes",
        1,
    )
    return "shared"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A place for a file in a folder, as az wants its destinations named."""
    return tmp_path / "file"
