"""A clock that is wrong is told with both times, once, and where a refusal may come from it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from structlog.testing import capture_logs

from orchestrator.accounts.clock import ClockWatch, disagreement, told_time
from orchestrator.accounts.failures import refusal

_NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("headers", "told"),
    [
        ({"Date": "Sun, 01 Mar 2026 12:00:00 GMT"}, _NOON),
        ({"date": "Sun, 01 Mar 2026 12:00:00 GMT"}, _NOON),
        ({}, None),
        ({"Date": "yesterday"}, None),
        ({"Date": "Sun, 01 Mar 2026 12:00:00 -0000"}, None),
    ],
)
def test_the_service_says_its_time_in_the_head_of_an_answer(
    headers: dict[str, str], told: datetime | None
) -> None:
    assert told_time(headers) == told


@pytest.mark.parametrize("seconds", [-300, -1, 0, 299, 300])
def test_clocks_that_are_close_are_not_spoken_of(seconds: int) -> None:
    assert disagreement(_NOON, _NOON + timedelta(seconds=seconds), limit=300) is None


@pytest.mark.parametrize(("seconds", "where"), [(301, "301 s ahead"), (-4000, "4000 s behind")])
def test_a_wrong_clock_is_told_with_both_times_and_the_remedy(seconds: int, where: str) -> None:
    ours = _NOON + timedelta(seconds=seconds)
    told = disagreement(_NOON, ours, limit=300)
    assert told is not None
    for part in (f"{ours:%H:%M:%S} UTC", "12:00:00 UTC", where, "timedatectl"):
        assert part in told


def test_a_wrong_clock_is_warned_of_once_until_it_is_right_again() -> None:
    watch = ClockWatch(300)
    with capture_logs() as lines:
        for seconds in (0, 400, 500, 0, 400):
            watch.compare(_NOON, _NOON + timedelta(seconds=seconds))
        watch.compare(None, _NOON)
    assert [line["event"] for line in lines] == ["clock.wrong", "clock.wrong"]
    assert lines[0]["log_level"] == "warning"


@pytest.mark.parametrize(("status", "said"), [(403, True), (401, True), (404, False)])
def test_a_refusal_of_the_credentials_names_the_clock_if_it_is_too_far_off(status: int, said: bool) -> None:
    theirs = datetime.now(UTC) - timedelta(hours=1)
    headers = {"Date": f"{theirs:%a, %d %b %Y %H:%M:%S} GMT"}
    assert ("ahead: set it" in refusal(status, headers, b"").message) is said
    right = {"Date": f"{datetime.now(UTC):%a, %d %b %Y %H:%M:%S} GMT"}
    assert "clock" not in refusal(status, right, b"").message
