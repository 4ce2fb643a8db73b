from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import jsonschema
import pytest

from orchestrator import __version__
from tests.acceptance.program import LIMIT, ROOT, orchestrator


def test_the_version_is_told(tmp_path: Path) -> None:
    said = orchestrator("--version", home=tmp_path)
    assert (said.returncode, said.stdout) == (0, f"orchestrator {__version__}\n")


def test_the_schema_is_a_schema_that_the_example_passes(tmp_path: Path) -> None:
    said = orchestrator("schema", home=tmp_path)
    assert said.returncode == 0
    schema = json.loads(said.stdout)
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(tomllib.loads((ROOT / "examples/topnwords/job.toml").read_text()), schema)


@pytest.mark.parametrize(
    "arguments", [["no-such-verb"], ["run"], ["run", "job.toml", "--account", "elsewhere"]]
)
def test_a_wrong_command_ends_with_two(tmp_path: Path, arguments: list[str]) -> None:
    assert orchestrator(*arguments, home=tmp_path).returncode == 2


def test_azure_without_settings_is_refused_before_anything_is_asked(tmp_path: Path) -> None:
    said = orchestrator(
        "run",
        ROOT / "examples/topnwords/job.toml",
        "--account",
        "azure",
        "--download-dir",
        "out",
        home=tmp_path,
    )
    assert said.returncode == 2
    assert said.stderr.splitlines()[-1].startswith("orchestrator: AZURE_BATCH_ENDPOINT: is not set")


def test_a_reader_that_goes_away_gets_no_traceback(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as broken:
        said = subprocess.run(
            [sys.executable, "-m", "orchestrator", "schema"],
            cwd=tmp_path,
            stdout=broken,
            stderr=subprocess.PIPE,
            timeout=LIMIT,
            check=False,
        )
    assert said.stderr == b""


@pytest.mark.parametrize("target", ["setup", "demo", "test", "check", "bench", "lock", "help"])
def test_every_target_of_make_is_there(target: str) -> None:
    said = subprocess.run(
        ["make", "--dry-run", target], cwd=ROOT, capture_output=True, text=True, timeout=LIMIT, check=False
    )
    assert said.returncode == 0, said.stderr


def test_make_without_a_target_tells_the_targets() -> None:
    said = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True, timeout=LIMIT, check=True)
    told = {" ".join(line.split()[:2]) for line in said.stdout.splitlines()}
    assert {f"make {target}" for target in ("setup", "demo", "test", "check", "bench")} <= told
