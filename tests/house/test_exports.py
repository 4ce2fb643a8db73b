from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import orchestrator
from orchestrator import errors, events
from tests.house.places import ROOT, python_files


def _declared_for_type_checkers() -> dict[str, str]:
    tree = ast.parse((ROOT / "orchestrator/__init__.py").read_text())
    block = next(
        node
        for node in tree.body
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
    )
    imports = [node for node in block.body if isinstance(node, ast.ImportFrom)]
    return {alias.name: str(node.module) for node in imports for alias in node.names}


def _declared_names(path: Path) -> list[str] | None:
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.Assign) and [ast.unparse(target) for target in node.targets] == ["__all__"]:
            return list(ast.literal_eval(node.value))
    return None


def test_type_checkers_and_the_running_program_see_the_same_names() -> None:
    assert _declared_for_type_checkers() == orchestrator._HOME
    assert set(orchestrator.__all__) == set(orchestrator._HOME)


@pytest.mark.parametrize("path", python_files("orchestrator", "node_task"), ids=str)
def test_no_all_has_a_name_twice(path: Path) -> None:
    names = _declared_names(path) or []  # their order is the linter's business (RUF022)
    assert len(names) == len(set(names))


def test_the_public_names_are_sorted() -> None:
    assert orchestrator.__all__ == sorted(orchestrator.__all__)


@pytest.mark.parametrize("name", orchestrator.__all__)
def test_every_public_name_can_be_imported(name: str) -> None:
    assert getattr(orchestrator, name) is not None


def test_every_event_and_every_error_is_public() -> None:
    told = {kind.__name__ for kind in events.all_event_types()}
    raised = {
        name
        for name, value in vars(errors).items()
        if isinstance(value, type) and issubclass(value, errors.OrchestratorError)
    }
    assert told | raised <= set(orchestrator.__all__)


def test_a_name_that_does_not_exist_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = orchestrator.no_such_name


def test_importing_the_package_imports_nothing_heavy() -> None:
    program = "import sys, orchestrator; print(*sorted({name.split('.')[0] for name in sys.modules}))"
    loaded = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=True
    ).stdout.split()
    assert not {"aiohttp", "asyncio", "azure", "msgspec", "rich", "typer"} & set(loaded)
