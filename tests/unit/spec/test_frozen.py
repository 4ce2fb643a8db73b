from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.spec import FrozenMapping, PoolSpec, SecretReference

_leaves = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
)
_json = st.recursive(
    _leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3)
)


@given(st.dictionaries(st.text(), _json, max_size=4))
def test_any_json_is_the_same_after_it_was_frozen_and_thawed(content: dict[str, Any]) -> None:
    frozen = FrozenMapping(content)
    assert frozen.thaw() == content
    assert hash(frozen) == hash(FrozenMapping(content))
    assert frozen == FrozenMapping(content)


def test_what_is_thawed_may_be_changed_and_the_frozen_stays() -> None:
    frozen = FrozenMapping({"a": [{"b": 1}]})
    frozen.thaw()["a"][0]["b"] = 2
    assert frozen.thaw() == {"a": [{"b": 1}]}


def test_the_frozen_does_not_follow_what_it_was_made_of() -> None:
    inner = [1]
    frozen = FrozenMapping({"a": inner})
    inner.append(2)
    assert frozen.thaw() == {"a": [1]}


def test_nothing_can_be_put_into_it() -> None:
    frozen = FrozenMapping({"a": 1})
    with pytest.raises(TypeError):
        frozen["b"] = 2  # type: ignore[index]  # that is what must fail


def test_a_secret_reference_may_be_in_it() -> None:
    reference = SecretReference("env:A")
    assert FrozenMapping({"A": reference}).thaw() == {"A": reference}


@pytest.mark.parametrize("content", [{1: "a"}, {"a": object()}, {"a": [b"x"]}])
def test_what_json_can_not_say_is_refused(content: dict[Any, Any]) -> None:
    with pytest.raises(TypeError):
        FrozenMapping(content)


def test_a_spec_freezes_the_dict_it_is_given() -> None:
    pool = PoolSpec(id="p", rest={"a": [1]})  # type: ignore[arg-type]  # untyped callers write this
    assert isinstance(pool.rest, FrozenMapping)
    assert pool == PoolSpec(id="p", rest=FrozenMapping({"a": [1]}))
    assert hash(pool) == hash(PoolSpec(id="p", rest=FrozenMapping({"a": [1]})))
