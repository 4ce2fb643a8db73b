"""node_task and orchestrator never import each other: they meet in a command line and a file format."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CALLS_THAT_IMPORT = {"import_module", "__import__", "find_spec", "run_module"}


def imports(source: bytes) -> Iterator[str]:
    """The top-level packages that a file imports, anywhere in it, also by name at run time."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield (node.module or "").partition(".")[0]
        elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
            function = node.func
            name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
            if name in CALLS_THAT_IMPORT:
                yield str(node.args[0].value).partition(".")[0]


@pytest.mark.parametrize(("package", "other"), [("node_task", "orchestrator"), ("orchestrator", "node_task")])
def test_neither_package_imports_the_other(package: str, other: str) -> None:
    files = sorted((ROOT / package).rglob("*.py"))
    assert files
    assert [str(file.relative_to(ROOT)) for file in files if other in imports(file.read_bytes())] == []


@pytest.mark.parametrize(
    "source",
    [
        b"import node_task",
        b"import os, node_task.text as t",
        b"from node_task import text",
        b"from node_task.text import decoded",
        b"def f():\n    import node_task.text",
        b"import importlib\nimportlib.import_module('node_task.text')",
        b"__import__('node_task')",
    ],
)
def test_the_check_sees_every_way_to_import(source: bytes) -> None:
    assert "node_task" in imports(source)


def test_the_check_does_not_mistake_a_mention_for_an_import() -> None:
    assert "node_task" not in set(imports(b"'import node_task'\nfrom . import node_task\nprint('node_task')"))
