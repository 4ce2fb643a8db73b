"""The script that puts the application on a node, run by a real shell."""

from __future__ import annotations

import subprocess
from pathlib import Path

from orchestrator.stages.node_commands import INCOMING, install_script


def run(script: str, node: Path) -> subprocess.CompletedProcess[str]:
    working = node / "wd"
    (working / INCOMING).mkdir(parents=True, exist_ok=True)
    (working / INCOMING / "tool's file.py").write_text("content")
    (node / "shared").mkdir(exist_ok=True)
    return subprocess.run(
        ["/bin/sh", "-c", script],
        cwd=working,
        env={"PATH": "/usr/bin:/bin", "AZ_BATCH_NODE_SHARED_DIR": str(node / "shared")},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def test_the_application_appears_whole_in_the_shared_directory(tmp_path: Path) -> None:
    assert run(install_script((), "app-1"), tmp_path).returncode == 0
    assert (tmp_path / "shared" / "app-1" / "tool's file.py").read_text() == "content"
    assert [path.name for path in (tmp_path / "shared").iterdir()] == ["app-1"]


def test_running_it_again_changes_nothing(tmp_path: Path) -> None:
    run(install_script((), "app-1"), tmp_path)
    (tmp_path / "shared" / "app-1" / "mark").write_text("still here")
    assert run(install_script((), "app-1"), tmp_path).returncode == 0
    assert (tmp_path / "shared" / "app-1" / "mark").exists()


def test_the_users_commands_run_first_and_a_failing_one_ends_it(tmp_path: Path) -> None:
    assert run(install_script(("touch first", "exit 7", "touch never"), "app-1"), tmp_path).returncode == 7
    assert (tmp_path / "wd" / "first").exists()
    assert not (tmp_path / "wd" / "never").exists()
    assert not (tmp_path / "shared" / "app-1").exists()


def test_two_at_once_both_succeed_and_leave_one_folder(tmp_path: Path) -> None:
    script = install_script((), "app-1")
    run("true", tmp_path)
    many = " & ".join(f"( {script} )" for _ in range(8)).replace("$$", "$$-$(date +%N)")
    assert run(f"{many} & wait", tmp_path).returncode == 0
    assert [path.name for path in (tmp_path / "shared").iterdir()] == ["app-1"]
