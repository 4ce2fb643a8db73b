"""The description of the API and the API are one: schemathesis asks of the one what the other says."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.acceptance.daemon.daemons import Daemon, job
from tests.soak.readings import tell

PATIENT = {"requests_per_second": 1_000_000, "request_burst": 10_000_000}
LIMIT = 1800.0

SETTINGS = """
request-timeout = 20.0

[[operations]]
include-name = "POST /v1/runs"
# A schema can say of a job that it can be read, and not that it can be right; nor which words are printable.
checks.positive_data_acceptance.expected-statuses = ["2xx", 400, 401, 403, 404, 409, 422, 429, "5xx"]

[[operations]]
include-name = "POST /v1/runs/{run_id}/retry-failed"
checks.positive_data_acceptance.expected-statuses = ["2xx", 400, 401, 403, 404, 409, 422, 429, "5xx"]
"""
REAL_IDS = """
[parameters]
run_id = "{run_id}"
task_id = "t-0"
"""


def schemathesis(daemon: Daemon, home: Path, settings: str, *options: object) -> str:
    """Let it ask the daemon; fails with what it found."""
    home.mkdir()
    (home / "schemathesis.toml").write_text(settings)
    address = (daemon.state / "address").read_text().strip()
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONWARNINGS"}
    done = subprocess.run(
        [
            *(sys.executable, "-c", "from schemathesis.cli import schemathesis; schemathesis()", "run"),
            *(f"{address}/openapi.json", "--header", f"Authorization: Bearer {daemon.token()}"),
            *("--no-color", "--seed", os.environ.get("SOAK_SEED") or "1", "--generation-database", "none"),
            # A stream of all events has no end to wait for.
            *("--exclude-path", "/v1/events", *map(str, options)),
        ],
        cwd=home,
        env=environment,
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
    return done.stdout


@pytest.mark.timeout(LIMIT + 60)
def test_the_api_is_as_its_description_says(tmp_path: Path, env_file: Path) -> None:
    wanted = os.environ.get("CONTRACT_EXAMPLES")
    # A quick look: what the description itself leads to. The long one follows runs from call to call, too.
    examples, phases = wanted or "3", "coverage,fuzzing,stateful" if wanted else "coverage"
    with Daemon(tmp_path, env_file, daemon_limits=PATIENT) as daemon:
        run_id = daemon.submit(job("echo one", "false"))
        daemon.ended(run_id)
        real = REAL_IDS.format(run_id=run_id)
        said = schemathesis(
            *(daemon, tmp_path / "of-a-run", real + SETTINGS, "--include-path-regex", "^/v1/runs/{run_id}"),
            *("--include-method", "GET", "--max-examples", examples, "--phases", phases),
        )
        assert "Tested" in said
        said = schemathesis(
            daemon, tmp_path / "of-all", SETTINGS, "--max-examples", examples, "--phases", phases
        )
        tell(said[said.rfind("= SUMMARY") :])
        assert [line for line in daemon.said() if line["event"] in {"api.defect", "owner.task_failed"}] == []
