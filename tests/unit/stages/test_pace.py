"""The number of requests in flight follows what the service's answers tell."""

from __future__ import annotations

import anyio
import anyio.lowlevel
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.stages.pace import Gate, Pace


def rounds(pace: Pace, count: int, *, delay: float = 0.05, put_off: bool = False) -> None:
    for _ in range(count):
        for number in [pace.sent() for _ in range(pace.limit)]:
            pace.answered(number, delay, put_off=put_off)


def test_good_answers_double_the_number_each_round_at_first() -> None:
    pace = Pace(40)
    assert pace.limit == 8
    rounds(pace, 1)
    assert pace.limit == 16
    rounds(pace, 2)
    assert pace.limit == 40


def test_once_it_was_slowed_down_good_answers_add_about_one_a_round_up_to_the_most() -> None:
    pace = Pace(20)
    rounds(pace, 1, put_off=True)
    assert pace.limit == 4
    rounds(pace, 5)
    assert 8 <= pace.limit <= 9
    rounds(pace, 50)
    assert pace.limit == 20


def test_one_crowd_halves_the_number_once() -> None:
    pace = Pace(32)
    rounds(pace, 60)
    numbers = [pace.sent() for _ in range(pace.limit)]
    for number in numbers:
        pace.answered(number, 0.05, put_off=True)
    assert pace.limit == 16


def test_being_put_off_again_and_again_ends_at_one_and_never_below() -> None:
    pace = Pace(32)
    rounds(pace, 30, put_off=True)
    assert pace.limit == 1


def test_answers_that_take_much_longer_than_the_quickest_ease_off() -> None:
    pace = Pace(32)
    rounds(pace, 60)
    rounds(pace, 3, delay=1.0)
    assert pace.limit < 32


@given(st.lists(st.tuples(st.floats(0.001, 5), st.booleans()), max_size=200), st.integers(1, 64))
def test_the_number_stays_between_one_and_the_most(answers: list[tuple[float, bool]], most: int) -> None:
    pace = Pace(most)
    for delay, put_off in answers:
        pace.answered(pace.sent(), delay, put_off=put_off)
        assert 1 <= pace.limit <= most


async def test_the_gate_never_lets_more_through_than_the_pace_says() -> None:
    gate = Gate(Pace(8))
    at_once = most = 0

    async def request() -> None:
        nonlocal at_once, most
        async with gate.request() as number:
            at_once += 1
            most = max(most, at_once)
            assert at_once <= gate.pace.limit
            for _ in range(20):
                await anyio.lowlevel.checkpoint()
            at_once -= 1
            gate.pace.answered(number, 0.01, put_off=False)

    with anyio.fail_after(10):
        async with anyio.create_task_group() as group:
            for _ in range(200):
                group.start_soon(request)
    assert 4 < most <= 8
