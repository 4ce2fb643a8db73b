"""A contract that cannot fail is worth nothing: each is broken once, in a copy of the tree."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.house.places import ROOT

CONTRACTS = {
    contract["id"]
    for contract in tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
}

# contract, the module that offends, and its one bad line
BREAKS = [
    ("layers", "orchestrator/errors.py", "from orchestrator import events as _"),
    ("layers", "orchestrator/new_room.py", "pass"),
    ("layers", "orchestrator/runtime/run.py", "from orchestrator import daemon as _"),
    ("azure", "orchestrator/stages/submit.py", "import azure.batch as _"),
    ("azure", "orchestrator/cli/new_verb.py", "from azure.storage import blob as _"),
    ("pure", "orchestrator/tracker.py", "import asyncio as _"),
    ("pure", "orchestrator/local/batch/store/new_room.py", "import socket as _"),
    ("local-knows-nothing", "orchestrator/local/new_room.py", "from orchestrator import states as _"),
    ("local-is-entered-by-two-doors", "orchestrator/stages/submit.py", "import orchestrator.local as _"),
    ("node-task", "orchestrator/stages/new_room.py", "import node_task as _"),
    ("node-task", "node_task/new_room.py", "from orchestrator import states as _"),
    ("stages", "orchestrator/stages/submit.py", "from orchestrator.stages import watch as _"),
    ("handlers", "orchestrator/handlers/download.py", "from orchestrator.handlers import cleanup as _"),
]


@pytest.fixture
def copied_tree(tmp_path: Path) -> Path:
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for package in ("orchestrator", "node_task"):
        shutil.copytree(
            ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__", "node_modules")
        )
    return tmp_path


def lint(tree: Path, contract: str) -> subprocess.CompletedProcess[str]:
    program = Path(sys.executable).with_name("lint-imports")
    return subprocess.run(
        [program, "--no-logo", "--no-cache", "--contract", contract],
        cwd=tree,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_every_contract_is_broken_here_at_least_once() -> None:
    assert {contract for contract, _, _ in BREAKS} == CONTRACTS


@pytest.mark.parametrize("contract", sorted(CONTRACTS))
def test_the_tree_as_it_is_keeps_the_contract(copied_tree: Path, contract: str) -> None:
    said = lint(copied_tree, contract)
    assert said.returncode == 0, said.stdout + said.stderr


@pytest.mark.parametrize(("contract", "module", "line"), BREAKS)
def test_a_bad_import_breaks_its_contract(copied_tree: Path, contract: str, module: str, line: str) -> None:
    offender = copied_tree / module
    offender.write_text((offender.read_text() if offender.exists() else '"""New."""\n') + f"\n{line}\n")
    said = lint(copied_tree, contract)
    assert said.returncode != 0
    assert module.removesuffix(".py").replace("/", ".") in said.stdout.replace("\n", "")
