"""Each client makes a pool and a job, adds 250 tasks, waits for them, reads their output and deletes all."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from tests.compat.clients import JAVASCRIPT, PROGRAMS, SDK_14, PythonClients
from tests.compat.node import find_node
from tests.compat.service import client_environment

pytestmark = [pytest.mark.compat, pytest.mark.timeout(300)]

LIMIT: Final = 180.0
TASKS: Final = 250


@dataclass(frozen=True, kw_only=True, slots=True)
class Client:
    """A program by one client.

    Args:
        name: also of its pool and job.
        version: how the client's version begins.
        package: of npm; without one it is a Python program.
    """

    name: str
    version: str
    package: str | None = None

    def command(self) -> list[str | Path]:
        """What runs it, up to the names of its pool and job."""
        if self.package is not None:
            node = find_node()
            assert JAVASCRIPT.stands(node.version), (
                "the JavaScript clients are not installed: make test-compat"
            )
            return [node.program, PROGRAMS / "round_trip.mjs", JAVASCRIPT.folder, self.package]
        if self.name == "sdk14":
            assert SDK_14.stands(PythonClients.tool()), "azure-batch 14 is not installed: make test-compat"
            return [SDK_14.python, PROGRAMS / "sdk14.py"]
        return [sys.executable, PROGRAMS / "sdk15.py"]


CLIENTS: Final = (
    Client(name="sdk15", version="15."),
    Client(name="sdk14", version="14."),
    Client(name="javascript10", version="10.", package="@azure/batch"),
    Client(name="javascript9", version="9.", package="azure-batch"),
)


@pytest.mark.parametrize("service", ["settings", "secure_settings"], ids=["http", "https"])
@pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.name)
def test_a_pool_a_job_and_250_tasks_by_another_client_come_and_go(
    client: Client, service: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    settings: dict[str, str] = request.getfixturevalue(service)
    assert settings["AZURE_BATCH_ENDPOINT"].startswith("https:") == (service == "secure_settings")
    done = subprocess.run(
        [*client.command(), client.name, f"{client.name}-job"],
        env=client_environment(tmp_path, settings),
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    assert seen.pop("client").startswith(client.version)
    assert client.name not in seen.pop("pools_left")
    assert set(seen.pop("nodes")) <= {"idle", "running"}
    assert seen == {
        "slots": 4,
        "added": {"success": TASKS},
        "listed": TASKS,
        "exit_codes": {"0": TASKS},
        "results": {"success": TASKS},
        "stdout": {f"task-{number}": f"{number} is task-{number}\n" for number in (0, 99, 100, TASKS - 1)},
    }
