"""The program needs nothing on the node but an old Python."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import node_task
from node_task import __main__
from node_task.retry import Patience

FILES = sorted(Path(node_task.__file__).parent.rglob("*.py"))
HOME = str(Path(node_task.__file__).parent.parent)


def imported(tree: ast.AST) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names.update(alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            names.add("." if node.level else (node.module or "").partition(".")[0])
    return names


def test_the_package_was_found() -> None:
    assert "__main__.py" in {file.name for file in FILES}


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_only_the_standard_library_is_imported(file: Path) -> None:
    assert imported(ast.parse(file.read_bytes())) <= sys.stdlib_module_names | {"node_task"}


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_the_syntax_is_that_of_python_3_8(file: Path) -> None:
    ast.parse(file.read_bytes(), filename=str(file), feature_version=(3, 8))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_annotations_are_never_evaluated(file: Path) -> None:
    tree = ast.parse(file.read_bytes())
    plain_text = all(isinstance(node, ast.Expr) for node in tree.body)
    future = any(isinstance(node, ast.ImportFrom) and node.module == "__future__" for node in tree.body)
    assert plain_text or future


def test_the_check_of_the_syntax_sees_what_is_too_new() -> None:
    with pytest.raises(SyntaxError):
        ast.parse("match x:\n    case 1: pass", feature_version=(3, 8))


def test_the_check_of_imports_sees_what_is_not_in_the_standard_library() -> None:
    assert imported(ast.parse("import os, azure.batch\nfrom . import x")) == {"os", "azure", "."}


def test_a_task_without_an_upload_does_not_start_with_what_an_upload_takes() -> None:
    program = "import sys, node_task.__main__; print(*sys.modules)"
    started = subprocess.run(
        [sys.executable, "-IS", "-c", f"import sys; sys.path.insert(0, {HOME!r}); {program}"],
        capture_output=True,
        check=True,
        text=True,
        timeout=30,
    )
    assert not {"http.client", "ssl", "hashlib", "json", "dataclasses", "email"} & set(started.stdout.split())


def test_the_default_of_the_upload_is_that_of_its_patience() -> None:
    assert Patience().total == __main__._UPLOAD_TIMEOUT
