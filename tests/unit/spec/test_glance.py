"""A look over the whole job at once finds all that a walk from text to text finds."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.spec import JobSpec, PoolSpec, TaskSpec, job_faults
from orchestrator.spec.frozen import FrozenMapping
from orchestrator.spec.glance import secret_references, written
from orchestrator.spec.place import leaves
from orchestrator.spec.secret import SecretReference

BAD = ("a\0b", "half \ud800", "https://x/?sig=abcdefgh", "AccountKey=" + "A" * 40, "ACCOUNTKEY=" + "A" * 40)


def job_of(environment: dict[str, str | SecretReference]) -> JobSpec:
    task = TaskSpec(id="t", command_line="true")
    return JobSpec(id="j", pool=PoolSpec(id="p"), tasks=(task,), environment=FrozenMapping(environment))


@pytest.mark.parametrize("text", BAD)
def test_a_text_that_is_wrong_is_found_wherever_it_stands(text: str) -> None:
    job = job_of({"NAME": text})
    assert next(job_faults(job)).place == "environment.NAME"


def test_what_only_looks_like_a_signature_without_case_is_looked_at_closely() -> None:
    # A long s is an s to a pattern without case.
    job = job_of({"NAME": "?\u017fig=abc"})
    assert next(job_faults(job)).place == "environment.NAME"


@given(st.dictionaries(st.sampled_from("ABC"), st.one_of(st.text(), st.just(SecretReference("env:X")))))
def test_no_secret_reference_is_overlooked(environment: dict[str, str | SecretReference]) -> None:
    job = job_of(environment)
    walked = [(place, leaf) for place, leaf in leaves(job) if isinstance(leaf, SecretReference)]
    assert list(secret_references(job)) == walked


def test_what_has_no_json_is_not_written() -> None:
    assert written(job_of({"NAME": "\ud800"})) is None
