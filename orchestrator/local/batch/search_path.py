"""What a task inherits from the machine: PATH, with a real `python3` on it, and LANG. Nothing else.

A real node gives its tasks a small environment; the service's own holds keys, a virtual environment and
settings of its Python that are none of the tasks' business. HOME is not among the documented variables
and not passed on either.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

_SCRIPT = b"#!"


def inherited_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """Give what the commands of a node inherit.

    Args:
        environment: of the service.

    Returns:
        PATH and LANG.
    """
    return {
        "PATH": with_python(environment.get("PATH") or os.defpath),
        "LANG": environment.get("LANG") or "C.UTF-8",
    }


def with_python(search_path: str) -> str:
    """Make sure that the first `python3` of a search path is an interpreter, not a script that seeks one.

    Such shims (of version managers) decide by the working directory and by variables that a task does not
    have, and take as long to start as the task itself.

    Args:
        search_path: PATH of the service.

    Returns:
        It without empty and relative folders, which mean another place in every task; before them the
        folder of this very interpreter where it is needed.
    """
    folders = [folder for folder in search_path.split(os.pathsep) if Path(folder).is_absolute()]
    first = next((path for folder in folders if _executable(path := Path(folder, "python3"))), None)
    if first is None or _is_script(first):
        folders = [folder for folder in _own_folders() if _executable(Path(folder, "python3"))][:1] + folders
    return os.pathsep.join(folders)


def _own_folders() -> list[str]:
    """Give where this interpreter is installed, outside of any virtual environment."""
    base = getattr(sys, "_base_executable", None) or sys.executable
    return [str(Path(sys.base_prefix, "bin")), str(Path(base).resolve().parent)]


def _executable(path: Path) -> bool:
    return path.is_file() and os.access(path, os.X_OK)


def _is_script(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(len(_SCRIPT)) == _SCRIPT
    except OSError:
        return True
