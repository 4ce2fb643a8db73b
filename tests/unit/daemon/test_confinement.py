from __future__ import annotations

from pathlib import Path
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies as st

from orchestrator.daemon.confinement import check_plan, confined, inside, safe_parts
from orchestrator.errors import SpecError
from orchestrator.spec import JobSpec, parse_job, plan_run
from tests.acceptance.daemon.daemons import job


def parsed(folder: Path, **changes: Any) -> JobSpec:
    return parse_job(job("true", **changes), base_dir=folder, where="job")


def kept_in(spec: JobSpec, folder: Path, *, secrets: tuple[str, ...] = ()) -> JobSpec:
    return confined(
        spec, base_dir=folder, roots=(folder.resolve(),), results=folder / "results", secrets=secrets
    )


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"application": {"files": ["ok", "/bin/sh"]}}, "job: application.files[1]"),
        ({"application": {"files": ["../x"]}}, "job: application.files[0]"),
        ({"task_factory": {"per_file": "*/../../*", "command_line": "x"}}, "job: task_factory.per_file"),
        (
            {"task_factory": {"per_file": ["a", "/e[t]c/*"], "command_line": "x"}},
            "job: task_factory.per_file",
        ),
        ({"tasks": [{"id": "t", "command_line": "x", "file": "/etc/passwd"}]}, "job: tasks[0].file"),
        (
            {"tasks": [{"id": "t", "command_line": "x", "resource_files": ["a", {"path": "../b"}]}]},
            "job: tasks[0].resource_files[1]",
        ),
        ({"preparation": {"commands": ["x"], "resource_files": ["/a"]}}, "job: job.preparation"),
        ({"environment": {"A": {"secret": "env:B"}}}, "job: environment.A"),
    ],
)
def test_what_reaches_out_is_refused_with_its_place(
    tmp_path: Path, changes: dict[str, Any], place: str
) -> None:
    with pytest.raises(SpecError) as caught:
        kept_in(parsed(tmp_path, **changes), tmp_path)
    assert caught.value.where.startswith(place)


def test_results_go_where_the_daemon_says_and_an_allowed_secret_is_kept(tmp_path: Path) -> None:
    spec = parsed(tmp_path, download_dir="/elsewhere", environment={"A": {"secret": "env:B"}})
    assert kept_in(spec, tmp_path, secrets=("env:B",)).download_dir == str(tmp_path / "results")


def test_a_pattern_that_matches_a_link_out_is_refused_after_planning(tmp_path: Path) -> None:
    inner = tmp_path / "inner"
    inner.mkdir()
    (tmp_path / "secret").touch()
    (inner / "link.txt").symlink_to(tmp_path / "secret")
    factory = {"per_file": "*.txt", "command_line": "cat {file}"}
    spec = kept_in(parsed(inner, tasks=[], task_factory=factory), inner)
    with pytest.raises(SpecError, match=r'"link.txt" leads outside'):
        check_plan(plan_run(spec, "r", environ={}), (inner.resolve(),))


@hypothesis.given(st.text(alphabet="a./\\ \0é", max_size=12))
def test_a_name_that_is_taken_never_leads_out_of_its_folder(name: str) -> None:
    parts = safe_parts(name)
    if parts is not None:
        path = Path("/root").joinpath(*parts)
        assert Path("/root") in path.parents
        assert "/".join(parts) == name


def test_a_link_that_leads_out_is_not_inside(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "out").symlink_to(tmp_path)
    (folder / "in").symlink_to(folder)
    assert inside(folder, "out") is None
    assert inside(folder, "in/x") == folder / "in/x"
