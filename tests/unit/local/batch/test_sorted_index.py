from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.local.batch.store.sorted_index import SortedIndex

names = st.text("aAbB0_", min_size=1, max_size=4)


@given(st.lists(st.tuples(names, st.booleans()), max_size=60), st.none() | names.map(str.lower))
def test_an_index_agrees_with_a_sorted_dictionary(steps: list[tuple[str, bool]], start: str | None) -> None:
    index: SortedIndex[str] = SortedIndex()
    plain: dict[str, str] = {}
    for name, add in steps:
        if add and name.lower() not in plain:
            index.add(name, name)
            plain[name.lower()] = name
        elif not add and name.lower() in plain:
            assert index.pop(name) == plain.pop(name.lower())
    assert list(index) == [plain[key] for key in sorted(plain)]
    expected = [(key, plain[key]) for key in sorted(plain) if start is None or key > start]
    assert list(index.after(start)) == expected


def test_many_names_in_any_order_come_out_sorted() -> None:
    index: SortedIndex[int] = SortedIndex()
    order = [number * 7919 % 10_007 for number in range(10_007)]
    for number in order:
        index.add(f"t{number:05}", number)
    for number in range(0, 10_007, 2):
        index.pop(f"T{number:05}")
    assert list(index) == list(range(1, 10_007, 2))
    assert next(index.after("t05000"))[1] == 5001


def test_ids_that_differ_in_case_only_are_the_same() -> None:
    index: SortedIndex[int] = SortedIndex()
    index.add("Task", 1)
    assert "tASK" in index
    assert index.get("TASK") == 1
    with pytest.raises(ValueError, match="taken"):
        index.add("task", 2)


def test_an_underscore_sorts_before_letters_as_recorded() -> None:
    index: SortedIndex[str] = SortedIndex()
    for name in ("TestTaskHPlr", "TestTask_Replace"):
        index.add(name, name)
    assert list(index) == ["TestTask_Replace", "TestTaskHPlr"]
