"""The program on the oldest Python it promises to run on."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tests.acceptance.node_task.programs import run, zipped
from tests.acceptance.node_task.storage import Storage, answers, resets


def candidates() -> list[str]:
    """Where a Python 3.8 may be: on PATH, or under pyenv, whose entry on PATH may be an empty promise."""
    on_path = shutil.which("python3.8")
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    return [*([on_path] if on_path else []), *map(str, pyenv.glob("versions/3.8.*/bin/python3.8"))]


@pytest.fixture
async def python38(tmp_path: Path) -> str:
    """A Python 3.8 that works."""
    for candidate in candidates():
        ended = await run("-c", "import sys; print(*sys.version_info[:2])", cwd=tmp_path, python=candidate)
        if (ended.exit_code, ended.stdout) == (0, "3 8\n"):
            return candidate
    pytest.skip("there is no Python 3.8 on this machine")


async def test_python_3_8_counts_uploads_and_retries(
    tmp_path: Path, python38: str, storage: Storage, upload_environment: dict[str, str]
) -> None:
    archive = zipped(tmp_path)
    (tmp_path / "日本 a.txt").write_text("b a b")
    storage.faults.extend([answers(503, "ServerBusy", **{"Retry-After": "0"}), resets])
    ended = await run(
        str(archive),
        "topwords",
        "./日本 a.txt",
        "--numwords",
        "1",
        cwd=tmp_path,
        environ={**upload_environment, "PYTHONPATH": ""},
        python=python38,
    )
    assert (ended.exit_code, ended.stderr) == (0, "")
    assert storage.blobs["task-1/日本 a_OUTPUT.txt"] == (tmp_path / "日本 a_OUTPUT.txt").read_bytes()
    assert "task-1/manifest.json" in storage.blobs


async def test_python_3_8_explains_a_wrong_command_line(tmp_path: Path, python38: str) -> None:
    ended = await run(str(zipped(tmp_path)), "topwords", cwd=tmp_path, python=python38)
    assert ended.exit_code == 2
    assert "the following arguments are required: FILE, --numwords" in ended.stderr
