"""The ids of a factory's tasks: what is made of an index is read back into it, and nothing else is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.spec.ids import expand_id
from orchestrator.spec.task_ids import TaskIds

TEXT = st.text("aB0-7", max_size=4)
INDEX = st.sampled_from(["{index}", "{index:05}", "{index:3d}", "{index:02d}"])
TEMPLATES = st.builds(
    lambda parts, end: "".join(text + index for text, index in parts) + end,
    st.lists(st.tuples(TEXT, INDEX), min_size=1, max_size=3),
    TEXT | st.just("{run}"),
)


@given(template=TEMPLATES, index=st.integers(0, 10**7))
def test_every_index_is_found_again_in_its_id(template: str, index: int) -> None:
    ids = TaskIds(template, "r-1")
    made = ids.id(index)
    assert made == expand_id(template, run_id="r-1", index=index)
    if " " not in made:  # a width without a zero fills with blanks, which no id may have
        assert ids.index(made) == index
        assert ids.index(made.swapcase(), ignore_case=True) == index


@given(template=TEMPLATES, other=st.text("aB01234567-", max_size=10))
def test_what_no_index_makes_is_not_found(template: str, other: str) -> None:
    ids = TaskIds(template, "r-1")
    index = ids.index(other)
    assert index is None or ids.id(index) == other


@pytest.mark.parametrize("odd", ["", "t-", "t-1x", "T-1", "t-01", "t--1", "t-١", "t-1_0", "t-+1", "x" * 200])
def test_ids_that_only_look_alike_are_others(odd: str) -> None:
    assert TaskIds("t-{index}", "r").index(odd) is None
