"""How soon the tasks are looked at again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.limits import Limits
from orchestrator.stages.watch import last_end_in, next_interval

LIMITS = Limits(poll_interval=2.0, poll_floor=0.25)


def test_changes_bring_the_next_look_nearer_down_to_the_floor() -> None:
    interval = 2.0
    for _ in range(10):
        interval = next_interval(interval, changes=5, rows=20, limits=LIMITS)
    assert interval == 0.25


def test_silence_puts_it_off_up_to_the_longest_pause() -> None:
    interval = 0.25
    for _ in range(10):
        interval = next_interval(interval, changes=0, rows=20, limits=LIMITS)
    assert interval == 2.0


def test_a_look_of_many_rows_and_little_news_does_not_bring_the_next_nearer() -> None:
    assert next_interval(1.0, changes=16, rows=1000, limits=LIMITS) == 1.5
    assert next_interval(1.0, changes=900, rows=1000, limits=LIMITS) == 0.5


def test_a_job_that_fills_pages_is_not_looked_at_more_often() -> None:
    assert next_interval(1.0, changes=3000, rows=3000, limits=LIMITS) == 1.5


def test_of_few_rows_one_that_is_news_is_enough() -> None:
    assert next_interval(1.0, changes=1, rows=100, limits=LIMITS) == 0.5


@given(st.floats(0, 10), st.integers(0, 5000), st.integers(0, 9000))
def test_the_pause_stays_between_the_two_limits(interval: float, changes: int, rows: int) -> None:
    assert 0.25 <= next_interval(interval, changes=changes, rows=rows, limits=LIMITS) <= max(2.0, interval)


def test_the_last_end_is_expected_at_the_pace_of_the_last_look() -> None:
    assert last_end_in(4, ended=20, elapsed=0.5) == pytest.approx(0.1)
    assert last_end_in(100, ended=20, elapsed=0.5) == pytest.approx(2.5)


@pytest.mark.parametrize("ended", [0, -3])
def test_where_nothing_ended_or_some_run_again_nobody_knows_when_the_last_ends(ended: int) -> None:
    assert last_end_in(4, ended=ended, elapsed=0.5) == float("inf")
