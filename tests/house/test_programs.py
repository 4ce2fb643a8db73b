"""Every program in README and docs is run or loaded; those that need Azure are only parsed."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from orchestrator.accounts.settings import settings_from_environment
from orchestrator.daemon.config import load_config
from orchestrator.local.faults import read_script
from orchestrator.spec import load_job
from tests.house.places import ROOT, pages

NEEDS_AZURE = "<!-- needs Azure -->"
BLOCK = re.compile(
    rf"(?P<azure>{re.escape(NEEDS_AZURE)}\n)?^```(?P<language>\w+)\n(?P<text>.*?)^```$",
    re.DOTALL | re.MULTILINE,
)
LANGUAGES = {"python", "sh", "text", "toml"}  # text is what a program says; it is neither run nor loaded
# make is said and not done: setting up and testing inside a test would go round in circles.
SAY_MAKE = f'make() {{ command make --no-print-directory --dry-run -C "{ROOT}" "$@"; }}\n'


class Program(NamedTuple):
    place: str
    language: str
    text: str
    needs_azure: bool


def programs() -> Iterator[Program]:
    for page in [*pages(), ROOT / "CONTRIBUTING.md"]:
        text = page.read_text()
        for match in BLOCK.finditer(text):
            line = text.count("\n", 0, match.start("text")) + 1
            place = f"{page.relative_to(ROOT)}:{line}"
            yield Program(place, match["language"], match["text"], match["azure"] is not None)


def written_in(language: str) -> list[Program]:
    return [program for program in programs() if program.language == language]


def place(program: Program) -> str:
    return program.place


@pytest.fixture
def example(tmp_path: Path) -> Path:
    """A copy of the example, where a run may write its results."""
    folder = tmp_path / "examples/topnwords"
    ignore = shutil.ignore_patterns("__pycache__", "results")
    shutil.copytree(ROOT / "examples/topnwords", folder, ignore=ignore)
    shutil.copytree(ROOT / "node_task", tmp_path / "node_task", ignore=ignore)
    return folder


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """A user's, with the program on PATH, a state folder of its own, and no account."""
    own = {
        name: value for name, value in os.environ.items() if not name.startswith(("AZURE_", "ORCHESTRATOR_"))
    }
    programs = os.pathsep.join([str(Path(sys.executable).parent), own["PATH"]])
    return {**own, "PATH": programs, "XDG_STATE_HOME": str(tmp_path / "state"), "PYTHONWARNINGS": "error"}


def run(command: list[str], folder: Path, environment: dict[str, str]) -> None:
    said = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=100, check=False
    )
    assert said.returncode == 0, said.stdout + said.stderr


def test_every_program_is_in_a_language_that_is_tested() -> None:
    assert {program.language for program in programs()} <= LANGUAGES


@pytest.mark.parametrize("program", written_in("python"), ids=place)
def test_the_python_program_runs(program: Program, example: Path, environment: dict[str, str]) -> None:
    compile(program.text, program.place, "exec")
    if not program.needs_azure:
        run([sys.executable, "-c", program.text], example, environment)


@pytest.mark.parametrize("program", written_in("sh"), ids=place)
def test_the_commands_run(program: Program, example: Path, environment: dict[str, str]) -> None:
    flags = "-n" if program.needs_azure else "-euo"
    options = [] if program.needs_azure else ["pipefail"]
    run(["bash", flags, *options, "-c", SAY_MAKE + program.text], example, environment)


@pytest.mark.parametrize("program", written_in("toml"), ids=place)
def test_the_configuration_loads(program: Program, example: Path) -> None:
    file = example / "page.toml"
    file.write_text(program.text)
    if "[account]" in program.text:
        secrets = {"MY_BATCH_KEY": "c2VjcmV0", "MY_STORAGE": "AccountName=a;AccountKey=c2VjcmV0"}
        assert settings_from_environment(secrets, config=file).batch_account == "mybatch"
    elif "[[rules]]" in program.text:
        assert read_script(file).rules
    elif "[[webhooks]]" in program.text:
        assert load_config(file, {"HOOK_SECRET": "secret", "XDG_STATE_HOME": str(example)}).webhooks
    else:
        assert load_job(file).base_dir == str(example)
