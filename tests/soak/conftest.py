from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.acceptance.program import Running

StartService = Callable[..., Path]

FAULTS = """
seed = {seed}

[[rules]]
on = ["create_task_collection", "list_tasks", "get_job", "get_pool", "create_job", "create_pool"]
probability = 0.01
fault = {{ kind = "refuse", status = 503, retry_after = 1 }}

[[rules]]
on = ["create_task_collection", "list_tasks", "create_job"]
probability = 0.01
fault = {{ kind = "drop_answer" }}

[[rules]]
on = ["create_task_collection", "list_tasks", "get_job"]
probability = 0.01
fault = {{ kind = "reset_connection" }}

[[rules]]
on = ["list_tasks"]
probability = 0.01
fault = {{ kind = "slow", seconds = 0.5 }}
"""


@pytest.fixture
def start_service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StartService]:
    """Starts a local service of one's own: the file with its settings."""
    with ExitStack() as stack:

        def start(*, faults_seed: int | None = None) -> Path:
            home = tmp_path_factory.mktemp("service")
            more: list[object] = []
            if faults_seed is not None:
                (home / "faults.toml").write_text(FAULTS.format(seed=faults_seed))
                more = ["--faults", home / "faults.toml"]
            settings = home / "settings.env"
            service = stack.enter_context(
                Running("local", "--state-dir", home / "state", "--env-file", settings, *more, home=home)
            )
            if service.line() != "ready":
                pytest.fail(f"no service: {service.end()}")
            stack.callback(_end, service)
            return settings

        yield start


def _end(service: Running) -> None:
    service.signal(signal.SIGTERM)
    assert service.end()[0] == 0


def seconds(default: float) -> float:
    """How long a soak takes: `make soak SECONDS=...`."""
    return float(os.environ.get("SOAK_SECONDS") or default)


def seed() -> int:
    """Of all chances: `make soak SEED=...`."""
    return int(os.environ.get("SOAK_SEED") or 1)
