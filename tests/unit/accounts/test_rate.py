"""Turns of a limited rate: how many may go within any time, and in which order."""

from __future__ import annotations

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.accounts.rate import RequestRate


@given(
    rate=st.floats(0.1, 1000.0),
    gaps=st.lists(st.floats(0.0, 5.0), min_size=1, max_size=200),
)
def test_no_second_has_more_than_twice_its_share_and_nobody_is_overtaken(
    rate: float, gaps: list[float]
) -> None:
    bucket, now = RequestRate(rate), 100.0
    turns: list[float] = []
    for gap in gaps:
        now += gap
        turns.append(now + bucket.reserve(now))
    assert turns == sorted(turns)
    for first in turns:
        within = sum(first <= turn <= first + 1.0 for turn in turns)
        assert within <= 2 * rate + 2
    # Over the whole, a second's worth and what the time gives.
    assert len(turns) <= rate * (turns[-1] - turns[0] + 1.0) + 2


def test_what_comes_slowly_never_waits() -> None:
    bucket = RequestRate(10.0)
    assert [bucket.reserve(0.1 * turn) for turn in range(1, 50)] == [0.0] * 49


def test_a_second_is_let_go_at_once_and_the_next_waits() -> None:
    bucket = RequestRate(4.0)
    assert [bucket.reserve(50.0) for _ in range(6)] == pytest.approx([0.0, 0.0, 0.0, 0.0, 0.25, 0.5])


def test_without_a_limit_nobody_waits() -> None:
    bucket = RequestRate(0.0)
    assert [bucket.reserve(1.0) for _ in range(1000)] == [0.0] * 1000


async def test_what_was_let_go_is_counted() -> None:
    bucket = RequestRate(50.0)
    async with anyio.create_task_group() as group:
        for _ in range(55):
            group.start_soon(bucket.turn)
    assert bucket.requests == 55
    assert 0.2 < bucket.waited < 1.0
