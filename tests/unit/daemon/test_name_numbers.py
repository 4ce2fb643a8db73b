from __future__ import annotations

import hypothesis
from hypothesis import strategies as st

from orchestrator.daemon.name_numbers import NameNumbers


@hypothesis.given(st.lists(st.text(max_size=5)), st.integers(0, 100))
def test_each_name_has_one_number_in_the_order_in_which_they_came(names: list[str], expected: int) -> None:
    numbers = NameNumbers()
    numbers.expect(expected)
    known: dict[str, int] = {}
    for name in names:
        assert numbers.find(name) == known.get(name)
        assert numbers.number(name) == known.setdefault(name, len(known))
    assert len(numbers) == len(known)
    assert [numbers.name(number) for number in known.values()] == list(known)


def test_more_names_may_come_than_were_expected() -> None:
    numbers = NameNumbers()
    numbers.expect(3)
    names = [f"task-{number}" for number in range(1000)]
    assert [numbers.number(name) for name in names] == list(range(1000))
    assert [numbers.find(name) for name in reversed(names)] == list(reversed(range(1000)))
    assert numbers.find("task-1000") is None
