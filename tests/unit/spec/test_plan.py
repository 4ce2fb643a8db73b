from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator import SpecError
from orchestrator.spec import (
    FrozenMapping,
    JobSpec,
    PoolSpec,
    SecretReference,
    TaskFactory,
    TaskSpec,
    new_run_id,
    parse_job,
    plan_run,
)
from orchestrator.spec.matching import match_files
from tests.unit.spec.job_files import TUTORIAL, factory_job, small, with_pool, with_task

RUN = "20261122t214455-3f9a1c"


def _write(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)


def _matched(folder: Path, pattern: str) -> list[str]:
    return [os.path.relpath(path, folder) for path in match_files(pattern, str(folder))]


def test_the_tutorials_job_is_planned(tmp_path: Path) -> None:
    _write(tmp_path, "data/b.txt", "data/a.txt", "data/c.bin", "node_task/__main__.py")
    plan = plan_run(parse_job(TUTORIAL, base_dir=tmp_path), RUN)
    assert (plan.job_id, plan.pool_id, plan.download_dir) == ("topnwords", "small", tmp_path / "results")
    assert plan.application == (tmp_path / "node_task",)
    assert [(task.id, task.index, task.input_name, task.inputs) for task in plan.tasks] == [
        ("topwords-00000", 0, "a.txt", ((0, "a.txt", None),)),
        ("topwords-00001", 1, "b.txt", ((1, "b.txt", None),)),
    ]
    assert [(file.index, file.path, file.size) for file in plan.inputs] == [
        (0, tmp_path / "data/a.txt", 10),
        (1, tmp_path / "data/b.txt", 10),
    ]


def test_the_run_is_in_ids_and_in_the_download_folder(tmp_path: Path) -> None:
    plain = small(id="j-{run}", pool={"id": "p-{run}"}, download_dir="out/{run}")
    plan = plan_run(parse_job(plain, base_dir=tmp_path), RUN)
    assert (plan.job_id, plan.pool_id, plan.download_dir) == (f"j-{RUN}", f"p-{RUN}", tmp_path / "out" / RUN)


def test_a_factorys_tasks_share_its_settings(tmp_path: Path) -> None:
    _write(tmp_path, "a.txt", "b.txt")
    job = factory_job(tmp_path)
    assert all(task.spec is job.task_factory for task in plan_run(job, RUN).tasks)


def test_a_file_that_several_tasks_get_is_staged_once(tmp_path: Path) -> None:
    _write(tmp_path, "a.txt", "b.txt", "shared.bin")
    job = factory_job(
        tmp_path,
        resource_files=["shared.bin", {"path": "./shared.bin", "file_path": "x/y", "file_mode": "0755"}],
    )
    plan = plan_run(job, RUN)
    assert [file.name for file in plan.inputs] == ["shared.bin", "a.txt", "b.txt"]
    assert plan.tasks[1].inputs == ((2, "b.txt", None), (0, "shared.bin", None), (0, "x/y", "0755"))


@settings(max_examples=30, deadline=None)
@given(st.sets(st.integers(0, 30)), st.sets(st.integers(0, 30)), st.sets(st.integers(0, 30)))
def test_a_file_is_listed_once_whoever_names_it(
    tmp_path_factory: pytest.TempPathFactory, each: set[int], all_get: set[int], start: set[int]
) -> None:
    folder = tmp_path_factory.mktemp("files")
    names = [f"{number % 3}/{chr(0x60 + number)}.txt" for number in range(31)]
    _write(folder, "0/0.txt", *names)
    own = [names[number] for number in each if number % 3 != 1]
    plain = with_pool(start_task={"resource_files": [names[number] for number in start]}) | {
        "task_factory": {
            # Two patterns that share files, and files that others get too, before and after.
            "per_file": ["0/*.txt", *own],
            "command_line": "true",
            "resource_files": [
                {"path": names[number], "file_path": f"shared/{number}"} for number in sorted(all_get)
            ],
        }
    }
    del plain["tasks"]
    plan = plan_run(parse_job(plain, base_dir=folder), RUN)
    listed = [str(file.path.relative_to(folder)) for file in plan.inputs]
    assert len(set(listed)) == len(listed)
    first = sorted({"0/0.txt", *own, *(name for name in names if name.startswith("0/"))})
    shared = [names[number] for number in sorted(all_get)]
    tasks = [[listed[index] for index, _, _ in task.inputs] for task in plan.tasks]
    assert tasks == [[name, *shared] for name in first]
    assert sorted(listed[index] for index, _, _ in plan.start_task_inputs) == sorted(
        names[number] for number in start
    )
    assert set(listed) == {*first, *shared, *(names[number] for number in start)}


def test_full_tasks_come_before_the_factorys_and_each_count_from_nothing(tmp_path: Path) -> None:
    _write(tmp_path, "a.txt", "in.bin")
    plain = small(
        tasks=[
            {"id": "x-{index}", "command_line": "wc {file}", "file": "in.bin"},
            {"id": "y", "command_line": "true"},
        ],
        task_factory={"per_file": "*.txt", "command_line": "wc {file}"},
    )
    plan = plan_run(parse_job(plain, base_dir=tmp_path), RUN)
    assert [(task.id, task.index, task.input_name) for task in plan.tasks] == [
        ("x-0", 0, "in.bin"),
        ("y", 1, None),
        ("task-00000", 0, "a.txt"),
    ]


def test_files_of_hooks_are_staged_with_the_others(tmp_path: Path) -> None:
    _write(tmp_path, "start.sh", "prepare.sh", "release.sh")
    plain = with_pool(start_task={"resource_files": ["start.sh"]}) | {
        "job": {
            "preparation": {"commands": ["true"], "resource_files": ["prepare.sh", "start.sh"]},
            "release": {"commands": ["true"], "resource_files": [{"path": "release.sh", "file_path": "r"}]},
        }
    }
    plan = plan_run(parse_job(plain, base_dir=tmp_path), RUN)
    assert [file.name for file in plan.inputs] == ["start.sh", "prepare.sh", "release.sh"]
    assert plan.start_task_inputs == ((0, "start.sh", None),)
    assert plan.preparation_inputs == ((1, "prepare.sh", None), (0, "start.sh", None))
    assert plan.release_inputs == ((2, "r", None),)


def test_resource_files_from_elsewhere_are_not_staged(tmp_path: Path) -> None:
    plain = with_task(resource_files=[{"http_url": "https://example.org/x", "file_path": "x"}])
    assert plan_run(parse_job(plain, base_dir=tmp_path), RUN).inputs == ()


def test_a_plan_can_be_hashed_and_is_the_same_each_time(tmp_path: Path) -> None:
    _write(tmp_path, "b.txt", "a.txt", "c.txt")
    job = factory_job(tmp_path)
    assert hash(plan_run(job, RUN)) == hash(plan_run(job, RUN))
    assert plan_run(job, RUN) == plan_run(job, RUN)


def test_a_job_written_in_code_is_planned(tmp_path: Path) -> None:
    _write(tmp_path, "a.txt")
    job = JobSpec(
        id="j",
        pool=PoolSpec(id="p"),
        base_dir=str(tmp_path),
        tasks=(TaskSpec(id="t", command_line="wc {file}", file="a.txt"),),
        task_factory=TaskFactory(per_file=("*.txt",), command_line="wc {file}"),
        environment=FrozenMapping({"TOKEN": SecretReference("env:TOKEN")}),
    )
    plan = plan_run(job, RUN, environ={"TOKEN": "x"})
    assert [task.inputs for task in plan.tasks] == [((0, "a.txt", None),)] * 2
    with pytest.raises(SpecError, match=r"^environment\.TOKEN: the environment variable TOKEN is not set"):
        plan_run(job, RUN, environ={})


def test_a_name_that_can_not_be_decoded_is_told_with_a_visible_escape(tmp_path: Path) -> None:
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.txt")).touch()
    with pytest.raises(SpecError, match=r"per_file: the name \".*/caf\\xe9\.txt\" can't be decoded"):
        plan_run(factory_job(tmp_path), RUN)


def test_a_link_to_a_file_is_followed_and_one_to_nothing_told(tmp_path: Path) -> None:
    _write(tmp_path, "real.bin")
    (tmp_path / "link.txt").symlink_to("real.bin")
    plan = plan_run(factory_job(tmp_path), RUN)
    assert [(file.name, file.size) for file in plan.inputs] == [("link.txt", 8)]
    (tmp_path / "dead.txt").symlink_to("nowhere")
    with pytest.raises(SpecError, match=r"dead\.txt\" is a link that leads nowhere"):
        plan_run(factory_job(tmp_path), RUN)


def test_what_is_no_regular_file_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.txt")
    with pytest.raises(SpecError, match=r"pipe\.txt\" is not a regular file"):
        plan_run(factory_job(tmp_path), RUN)


def test_a_run_id_that_names_no_container_is_refused(tmp_path: Path) -> None:
    _write(tmp_path, "a.txt")
    with pytest.raises(SpecError, match="is no run id"):
        plan_run(factory_job(tmp_path), "Not a run id")


def test_patterns_match_names_folders_and_below(tmp_path: Path) -> None:
    _write(tmp_path, "a.txt", "b.bin", "x/c.txt", "x/y/d.txt", "x/.h/e.txt", ".f.txt", "[g].txt")
    (tmp_path / "folder.txt").mkdir()
    assert _matched(tmp_path, "*.txt") == ["[g].txt", "a.txt"]
    assert _matched(tmp_path, "**/*.txt") == ["[g].txt", "a.txt", "x/c.txt", "x/y/d.txt"]
    assert _matched(tmp_path, "x/**") == ["x/c.txt", "x/y/d.txt"]
    assert _matched(tmp_path, "**/y/*") == ["x/y/d.txt"]
    assert _matched(tmp_path, ".*") == [".f.txt"]
    assert _matched(tmp_path, "x/.h/*") == ["x/.h/e.txt"]
    assert _matched(tmp_path, "[ab].*") == ["a.txt", "b.bin"]
    assert _matched(tmp_path, "[[]g].txt") == ["[g].txt"]
    assert _matched(tmp_path / "x", "../a.txt") == ["../a.txt"]
    assert _matched(tmp_path, str(tmp_path / "x" / "*.txt")) == ["x/c.txt"]
    assert _matched(tmp_path, "A.TXT") == []
    assert _matched(tmp_path, "none/*.txt") == []


def test_a_link_to_its_own_parent_is_not_followed_for_ever(tmp_path: Path) -> None:
    _write(tmp_path, "x/a.txt")
    (tmp_path / "x" / "loop").symlink_to("..", target_is_directory=True)
    assert _matched(tmp_path, "**/*.txt") == ["x/a.txt"]
    assert _matched(tmp_path, "x/loop/x/*.txt") == ["x/loop/x/a.txt"]


def test_a_file_that_two_patterns_match_is_one_task(tmp_path: Path) -> None:
    _write(tmp_path, "a.txt", "b.txt")
    plan = plan_run(factory_job(tmp_path, per_file=["b.*", "*.txt", "./a.txt"]), RUN)
    assert [task.input_name for task in plan.tasks] == ["a.txt", "b.txt"]


_names = st.text(
    st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=20
).filter(lambda name: not name.startswith("."))


@settings(deadline=None, max_examples=40)
@given(names=st.sets(_names, min_size=1, max_size=8))
def test_every_file_becomes_one_task_in_the_order_of_the_names(
    tmp_path_factory: pytest.TempPathFactory, names: set[str]
) -> None:
    folder = tmp_path_factory.mktemp("names")
    for name in names:
        (folder / name).touch()
    plan = plan_run(factory_job(folder, per_file="*"), new_run_id())
    assert [task.input_name for task in plan.tasks] == sorted(names)
    assert [task.id for task in plan.tasks] == [f"task-{index:05}" for index in range(len(names))]
    assert [plan.inputs[task.inputs[0][0]].name for task in plan.tasks] == sorted(names)
