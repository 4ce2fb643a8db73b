from __future__ import annotations

import subprocess
import sys
from pathlib import Path

PROGRAM = """
import time
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest


@pytest.fixture(scope="session")
def azure_batch_local_options():
    return {"profile": __import__("orchestrator.local").local.Profile.LIVE, "time_scale": 0.01}


def test_it_answers(azure_batch_local):
    with pytest.raises(HTTPError) as caught:
        urlopen(azure_batch_local.settings.batch_endpoint + "/pools?api-version=2025-06-01")
    caught.value.close()
    assert caught.value.code == 403


def test_a_rule_holds_in_its_test(azure_batch_faults):
    azure_batch_faults.add({"fault": {"kind": "refuse"}, "name": "mine"})
    assert len(azure_batch_faults.rules) == 1


def test_and_not_in_the_next(azure_batch_faults):
    assert azure_batch_faults.rules == ()
"""


def test_the_fixtures_serve_tests_that_know_nothing_of_asyncio(tmp_path: Path) -> None:
    (tmp_path / "test_mine.py").write_text(PROGRAM)
    said = subprocess.run(
        [
            *(
                sys.executable,
                "-m",
                "pytest",
                "-q",
                "-W",
                "error",
                "-p",
                "no:cacheprovider",
                "-p",
                "no:asyncio",
            ),
            *("-p", "orchestrator.local.pytest_plugin", f"--basetemp={tmp_path / 'base'}", "test_mine.py"),
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert said.returncode == 0, said.stdout + said.stderr
    assert "3 passed" in said.stdout


def test_loading_the_plugin_imports_nothing_heavy() -> None:
    program = "import sys, orchestrator.local.pytest_plugin; print(*{n.split('.')[0] for n in sys.modules})"
    loaded = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=True
    ).stdout.split()
    assert not {"aiohttp", "anyio", "asyncio", "azure", "msgspec", "structlog"} & set(loaded)
