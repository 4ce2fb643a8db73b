from __future__ import annotations

import json
from pathlib import Path

import pytest

from orchestrator import SpecError
from orchestrator.spec import (
    CleanupWhen,
    Duration,
    JobSpec,
    PoolSpec,
    SecretReference,
    TaskSpec,
    UploadBy,
    check_job,
    decode_job,
    encode_job,
    job_faults,
    load_job,
    parse_job,
)
from tests.unit.spec.job_files import TUTORIAL, small, with_pool, with_task


def test_the_tutorials_job_file_loads(tmp_path: Path) -> None:
    path = tmp_path / "job.toml"
    path.write_text(TUTORIAL)
    job = load_job(path)
    assert job.id == "topnwords"
    assert job.base_dir == str(tmp_path)
    assert job.timeout == Duration("20m")
    assert job.task_factory is not None
    assert job.task_factory.upload is UploadBy.TASK
    assert job.cleanup.pool is CleanupWhen.ASK
    assert not job.pool.must_exist


def test_json_and_toml_of_the_same_content_make_the_same_job(tmp_path: Path) -> None:
    (tmp_path / "job.json").write_text(json.dumps(small()))
    (tmp_path / "job.toml").write_text(
        'id = "small-job"\npool = {id = "there"}\n[[tasks]]\nid = "one"\ncommand_line = "true"\n'
    )
    from_json, from_toml = load_job(tmp_path / "job.json"), load_job(tmp_path / "job.toml")
    assert from_json.tasks == from_toml.tasks
    assert from_json.pool == from_toml.pool


def test_a_byte_order_mark_is_no_part_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "job.toml"
    path.write_bytes(b"\xef\xbb\xbf" + TUTORIAL.encode())
    assert load_job(path).id == "topnwords"


def test_the_jobs_own_settings_may_stand_in_a_job_table() -> None:
    in_table = small(job={"priority": 5, "rest": {"a": 1}, "preparation": {"commands": ["true"]}})
    at_top = small(priority=5, rest={"a": 1}, preparation={"commands": ["true"]})
    assert parse_job(in_table) == parse_job(at_top)


def test_loading_leaves_the_plain_values_as_they_are() -> None:
    plain = small(job={"priority": 5})
    parse_job(plain)
    assert plain == small(job={"priority": 5})


def test_a_loaded_job_can_be_hashed_and_does_not_change() -> None:
    job = parse_job(with_task(environment={"A": "b"}, rest={"a": [{"b": 1}]}))
    assert hash(job) == hash(parse_job(with_task(environment={"A": "b"}, rest={"a": [{"b": 1}]})))
    with pytest.raises(AttributeError):
        job.id = "other"  # type: ignore[misc]  # that is what must fail


def test_a_job_is_the_same_after_it_was_kept_as_json() -> None:
    job = parse_job(
        with_task(
            environment={"A": {"secret": "env:B"}, "C": "d"},
            rest={"a": [1, None, {"b": 2.5}]},
            retention_time="1d",
        )
    )
    assert decode_job(encode_job(job)) == job
    assert job.tasks[0].environment["A"] == SecretReference("env:B")


def test_a_job_written_in_code_is_checked_by_the_same_rules() -> None:
    job = JobSpec(id="a b", pool=PoolSpec(id="p"), tasks=(TaskSpec(id="t", command_line="true"),))
    with pytest.raises(SpecError, match=r"^id: "):
        check_job(job)


def test_a_job_written_in_code_with_a_wrong_type_is_told_so() -> None:
    wrong = JobSpec(id="a", pool=PoolSpec(id="p"), tasks=(TaskSpec(id="t", command_line=3),))  # type: ignore[arg-type]  # that is the test
    with pytest.raises(SpecError, match=r"^tasks\[0\]\.command_line: expected text, got a whole number"):
        check_job(wrong)


def test_a_job_written_in_code_with_something_foreign_is_told_so() -> None:
    wrong = JobSpec(id="a", pool=PoolSpec(id="p"), download_dir=Path("x"))  # type: ignore[arg-type]  # that is the test
    with pytest.raises(SpecError, match="Path"):
        check_job(wrong)


def test_every_fault_of_a_job_can_be_listed() -> None:
    job = JobSpec(id="a b", pool=PoolSpec(id="p q"), priority=2000)
    assert [fault.place for fault in job_faults(job)] == ["id", "pool.id", "priority", "tasks"]


@pytest.mark.parametrize(
    "plain",
    [
        with_pool(target_dedicated_nodes=0, rest={"enableAutoScale": True, "autoScaleFormula": "x"}),
        with_task(output_files=["../std*.txt", "$AZ_BATCH_TASK_DIR/*.log", "a/**/*.csv"]),
        with_task(resource_files=[{"storage_container_url": {"secret": "env:U"}, "blob_prefix": "a/"}]),
        with_task(command_line="sig=5; echo $sig --sig=x"),
        with_task(id="t-{index:03}-{run}", max_task_retry_count=-1),
        small(id="{run}", pool={"id": "p-{run}"}),
        small(task_factory={"per_file": "*", "command_line": "x"}),
    ],
)
def test_a_job_file_that_is_right_is_taken(plain: dict[str, object]) -> None:
    assert list(job_faults(parse_job(plain))) == []
