"""What a task inherits."""

from __future__ import annotations

import sys
from pathlib import Path

from orchestrator.local.batch.search_path import inherited_environment, with_python


def test_nothing_but_path_and_language_is_inherited() -> None:
    environment = {
        "PATH": "/usr/bin",
        "LANG": "de_DE.UTF-8",
        "PYTHONPATH": "x",
        "VIRTUAL_ENV": "y",
        "KEY": "z",
    }
    inherited = inherited_environment(environment)
    assert set(inherited) == {"PATH", "LANG"}
    assert inherited["LANG"] == "de_DE.UTF-8"
    assert inherited_environment({})["LANG"] == "C.UTF-8"


def test_a_shim_is_passed_over_for_a_real_interpreter(tmp_path: Path) -> None:
    shim = tmp_path / "python3"
    shim.write_text("#!/bin/sh\nexec false\n")
    shim.chmod(0o755)
    folders = with_python(str(tmp_path)).split(":")
    assert folders[1:] == [str(tmp_path)]
    assert Path(folders[0], "python3").is_file()
    assert not folders[0].startswith(sys.prefix) or sys.prefix == sys.base_prefix


def test_a_path_without_python_gets_one(tmp_path: Path) -> None:
    assert len(with_python(str(tmp_path)).split(":")) == 2


def test_a_real_interpreter_is_left_where_it_is(tmp_path: Path) -> None:
    (tmp_path / "python3").symlink_to(sys.executable)
    assert with_python(str(tmp_path)) == str(tmp_path)


def test_relative_folders_are_dropped(tmp_path: Path) -> None:
    (tmp_path / "python3").symlink_to(sys.executable)
    assert with_python(f"bin::{tmp_path}:.") == str(tmp_path)
