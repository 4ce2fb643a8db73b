"""How far back a look reaches."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.stages.reach import Reach


def test_the_first_looks_reach_all_the_way() -> None:
    reach = Reach(10.0)
    assert [reach.next(now) for now in (0.0, 1.0, 4.9, 5.0)] == [10.0] * 4


def test_where_nothing_comes_late_most_looks_reach_a_second_back_and_some_all_the_way() -> None:
    reach = Reach(10.0)
    reaches = [reach.next(float(now)) for now in range(16)]
    assert reaches == [10.0] * 6 + [1.0] * 4 + [10.0] + [1.0] * 4 + [10.0]


def test_what_came_late_makes_the_next_looks_reach_twice_as_far_for_a_while() -> None:
    reach = Reach(10.0)
    for now in range(7):
        reach.next(float(now))
    assert reach.next(7.0) == 1.0
    reach.came(3.0)
    assert reach.next(8.0) == 7.0
    reaches = [reach.next(float(now)) for now in range(9, 26)]
    assert reaches[:12] == [7.0, 10.0, *[7.0] * 4, 10.0, *[7.0] * 4, 10.0]
    assert reaches[12:16] == [1.0] * 4


@given(st.lists(st.tuples(st.floats(0, 3), st.floats(0, 100))), st.floats(0, 20))
def test_it_never_reaches_farther_than_it_may_and_at_least_as_far_as_what_came_last(
    story: list[tuple[float, float]], most: float
) -> None:
    reach, now = Reach(most), 0.0
    for pause, late in story:
        now += pause
        reach.came(late)
        assert min(late, most) <= reach.next(now) <= most
