from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.program import Running


@pytest.fixture(scope="session")
def env_file(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The settings of a local service that runs as a process of its own."""
    home = tmp_path_factory.mktemp("service")
    settings = home / "settings.env"
    with Running("local", "--state-dir", home / "state", "--env-file", settings, home=home) as service:
        if service.line() != "ready":
            pytest.fail(f"no service: {service.end()}")
        yield settings
        service.signal(signal.SIGTERM)
        assert service.end()[0] == 0
