"""When a request is sent again, and after how long."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node_task.retry import RETRIED_STATUSES, Patience, retry_after
from node_task.upload import MOST_BLOCKS, Sizes

NOW = datetime(2025, 3, 1, 12, 0, 0, tzinfo=UTC)
PATIENCE = Patience(first_pause=0.5, longest_pause=30.0)
CHANCES = st.floats(0, 1, exclude_max=True)


def test_only_answers_that_may_change_are_retried() -> None:
    assert {408, 429, 500, 502, 503, 504} == RETRIED_STATUSES


@given(st.integers(1, 10_000), CHANCES)
def test_a_pause_is_between_half_of_its_step_and_the_whole_and_never_above_the_cap(
    attempt: int, chance: float
) -> None:
    step = min(0.5 * 2 ** min(attempt - 1, 50), 30.0)
    assert step / 2 <= PATIENCE.pause(attempt, None, chance) <= step


@given(st.integers(1, 100), st.floats(0, 10_000), CHANCES)
def test_a_pause_is_never_shorter_than_the_server_asked_for(
    attempt: int, asked: float, chance: float
) -> None:
    assert PATIENCE.pause(attempt, asked, chance) == max(asked, PATIENCE.pause(attempt, None, chance))


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("0", 0.0),
        (" 7 ", 7.0),
        ("120", 120.0),
        ("Sat, 01 Mar 2025 12:00:30 GMT", 30.0),
        ("Sat, 01 Mar 2025 12:00:30 -0000", 30.0),
        ("Sat, 01 Mar 2025 13:00:30 +0100", 30.0),
        ("Sat, 01 Mar 2025 11:00:00 GMT", 0.0),
        ("", None),
        ("-1", None),
        ("1.5", None),
        ("soon", None),
        ("٣", None),
        ("Sat, 99 Mar 2025 11:00:00 GMT", None),
    ],
)
def test_retry_after_is_seconds_or_a_date_or_nothing(value: str | None, seconds: float | None) -> None:
    assert retry_after(value, NOW) == seconds


@given(st.text())
def test_no_header_of_a_server_can_break_the_reader(value: str) -> None:
    seconds = retry_after(value, NOW)
    assert seconds is None or seconds >= 0


def test_a_file_is_cut_into_no_more_blocks_than_a_blob_can_have() -> None:
    sizes = Sizes()
    assert sizes.block_for(sizes.single + 1) == sizes.block
    huge = sizes.block * MOST_BLOCKS + 1
    assert -(-huge // sizes.block_for(huge)) <= MOST_BLOCKS
