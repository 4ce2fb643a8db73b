"""A plan that was kept comes back as it was, and its fingerprint changes with what counts."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.spec import RunPlan, parse_job, plan_run
from orchestrator.spec.keep import decode_plan, encode_plan, fingerprint
from orchestrator.spec.planned import InputFile, PlannedTask

POOL = {"id": "p-{run}"}
TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0/"), min_size=1, max_size=8)


def job(**more: Any) -> dict[str, Any]:
    factory = {
        "per_file": "*.txt",
        "command_line": "wc {file}",
        "environment": {"KEY": {"secret": "env:KEY"}},
    }
    tasks = [{"id": "full", "command_line": "true", "resource_files": ["a.txt"]}]
    return {"id": "j", "pool": POOL, "tasks": tasks, "task_factory": factory, **more}


@pytest.fixture
def planned(tmp_path: Path) -> Callable[..., RunPlan]:
    """Plans a job of two files, `a.txt` and `b.txt`, for a run of any name."""
    for name in ("a.txt", "b.txt"):
        (tmp_path / name).write_text(name)

    def plan(run_id: str = "r-1", **more: Any) -> RunPlan:
        spec = parse_job(job(**more), base_dir=tmp_path, where="job.toml")
        return plan_run(spec, run_id, environ={"KEY": "worth-hiding"})

    return plan


def test_a_plan_comes_back_as_it_was_and_its_secrets_are_references(planned: Callable[..., RunPlan]) -> None:
    plan = planned()
    kept = encode_plan(plan)
    assert decode_plan(kept) == plan
    assert b"worth-hiding" not in kept
    assert b"env:KEY" in kept


@given(
    files=st.lists(st.tuples(TEXT, st.integers(0, 2**62), st.integers(0, 2**62)), max_size=5),
    tasks=st.lists(st.tuples(TEXT, st.integers(0, 1), st.none() | TEXT, st.none() | TEXT), max_size=5),
    is_part=st.booleans(),
)
def test_any_plan_comes_back_as_it_was(
    files: list[tuple[str, int, int]],
    tasks: list[tuple[str, int, str | None, str | None]],
    is_part: bool,
) -> None:
    spec = parse_job(job(), base_dir=Path("/"), where="job.toml")
    inputs = tuple(
        InputFile(
            index=index, path=Path("/data", name), name=Path("/data", name).name, size=size, modified_ns=at
        )
        for index, (name, size, at) in enumerate(files)
    )
    settings = (spec.tasks[0], spec.task_factory)
    plan = RunPlan(
        run_id="r",
        job_id="j",
        pool_id="p",
        download_dir=Path("/results"),
        spec=spec,
        inputs=inputs,
        tasks=tuple(
            PlannedTask(
                id=name,
                index=index,
                spec=settings[kind],  # type: ignore[arg-type]  # the factory is there
                input_name=given_name,
                inputs=((index, name, mode),),
            )
            for index, (name, kind, given_name, mode) in enumerate(tasks)
        ),
        application=tuple(file.path for file in inputs),
        start_task_inputs=tuple((file.index, file.name, None) for file in inputs),
        is_part=is_part,
    )
    assert decode_plan(encode_plan(plan)) == plan


def test_a_factory_without_files_is_kept_without_its_tasks(planned: Callable[..., RunPlan]) -> None:
    plan = planned(task_factory={"count": 100_000, "command_line": "true"})
    kept = encode_plan(plan)
    assert len(kept) < 3_000
    assert decode_plan(kept) == plan
    other = planned(task_factory={"count": 100_001, "command_line": "true"})
    assert fingerprint(other) != fingerprint(plan) == fingerprint(decode_plan(kept))


def test_a_plan_of_version_1_which_has_every_task_in_it_comes_back(planned: Callable[..., RunPlan]) -> None:
    plan = planned()
    assert decode_plan(as_version(1, msgspec.structs.replace(plan, tasks=tuple(plan.tasks)))) == plan


def test_a_plan_of_version_2_which_has_whole_paths_in_it_comes_back(planned: Callable[..., RunPlan]) -> None:
    plan = planned()
    assert decode_plan(as_version(2, plan)) == plan


def as_version(version: int, plan: RunPlan) -> bytes:
    """As earlier versions wrote a plan's files."""
    kept = msgspec.json.decode(encode_plan(plan))
    assert kept["version"] == 3
    del kept["folders"]
    inputs = [(str(file.path), file.size, file.modified_ns) for file in plan.inputs]
    return msgspec.json.encode({**kept, "version": version, "inputs": inputs})


def test_a_plan_of_thousands_of_files_comes_back(planned: Callable[..., RunPlan], tmp_path: Path) -> None:
    for number in range(2_500):
        (tmp_path / f"ä{number}.txt").touch()
    plan = planned()
    assert len(plan.inputs) > 2_500
    assert decode_plan(encode_plan(plan)) == plan


def test_settings_that_tasks_share_are_shared_again(planned: Callable[..., RunPlan]) -> None:
    plan = decode_plan(encode_plan(planned()))
    assert plan.tasks[0].spec is plan.spec.tasks[0]
    assert plan.tasks[1].spec is plan.tasks[2].spec is plan.spec.task_factory


@pytest.mark.parametrize("data", [b"", b"{}", b"[1]", b'{"version": 1}'])
def test_what_is_no_plan_is_refused(data: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        decode_plan(data)


def test_a_file_in_a_folder_that_is_not_kept_is_refused(planned: Callable[..., RunPlan]) -> None:
    kept = msgspec.json.decode(encode_plan(planned()))
    with pytest.raises(ValueError, match="folder 0 of 0"):
        decode_plan(msgspec.json.encode({**kept, "folders": []}))


def test_a_plan_of_another_version_is_refused_by_name(planned: Callable[..., RunPlan]) -> None:
    newer = encode_plan(planned()).replace(b'"version":3', b'"version":4', 1)
    with pytest.raises(ValueError, match="a plan of version 4, and 3 is known here"):
        decode_plan(newer)


def test_the_fingerprint_is_of_the_job_and_not_of_the_run(planned: Callable[..., RunPlan]) -> None:
    assert fingerprint(planned("r-1")) == fingerprint(planned("r-2"))


def test_the_fingerprint_outlives_being_kept(planned: Callable[..., RunPlan]) -> None:
    plan = planned()
    assert fingerprint(decode_plan(encode_plan(plan))) == fingerprint(plan)


@pytest.mark.parametrize("change", ["content", "time", "new file", "job"])
def test_the_fingerprint_changes_with_the_job_and_its_files(
    planned: Callable[..., RunPlan], tmp_path: Path, change: str
) -> None:
    before = fingerprint(planned())
    more: dict[str, Any] = {}
    match change:
        case "content":
            (tmp_path / "a.txt").write_text("another size")
        case "time":
            os.utime(tmp_path / "a.txt", ns=(1, 1))
        case "new file":
            (tmp_path / "c.txt").write_text("c")
        case _:
            more["priority"] = 7
    assert fingerprint(planned(**more)) != before


def test_the_fingerprint_changes_with_the_application(
    planned: Callable[..., RunPlan], tmp_path: Path
) -> None:
    package = tmp_path / "tool"
    package.mkdir()
    (package / "__main__.py").write_text("pass\n")
    before = fingerprint(planned(application={"files": ["tool"]}))
    (package / "__main__.py").write_text("import sys\n")
    assert fingerprint(planned(application={"files": ["tool"]})) != before
