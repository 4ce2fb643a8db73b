from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.local.wire import times

RECORDED_MODIFIED = "2023-09-07T06:26:55.6167653Z"
RECORDED_ETAG = "0x8DBAF6B6EABBDE5"


def test_the_etag_is_the_tick_count_of_last_modified() -> None:
    assert times.etag(times.parse_timestamp(RECORDED_MODIFIED)) == RECORDED_ETAG


def test_the_header_date_is_floored_to_the_second() -> None:
    ticks = times.parse_timestamp(RECORDED_MODIFIED)
    assert times.http_date(ticks) == "Thu, 07 Sep 2023 06:26:55 GMT"
    assert times.parse_http_date(times.http_date(ticks)) == ticks - ticks % times.TICKS_PER_SECOND


@pytest.mark.parametrize(
    "text",
    [RECORDED_MODIFIED, "2023-09-07T06:26:59.41364Z", "2024-02-29T00:00:00Z", "2018-03-13T07:19:22.319598Z"],
)
def test_an_instant_is_written_with_trailing_zeros_trimmed(text: str) -> None:
    assert times.timestamp(times.parse_timestamp(text)) == text


def test_the_time_inside_an_error_has_all_seven_digits() -> None:
    assert times.full_timestamp(times.parse_timestamp("2023-09-06T07:43:48.633496Z")) == (
        "2023-09-06T07:43:48.6334960Z"
    )


def test_an_offset_is_taken_into_account() -> None:
    assert times.parse_timestamp("2024-01-01T02:30:00+02:30") == times.parse_timestamp("2024-01-01T00:00:00Z")


@pytest.mark.parametrize("text", ["", "2024-01-01", "2024-13-01T00:00:00Z", "now", "2024-01-01T00:00:00ZZ"])
def test_what_is_no_instant_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"date and time|month"):
        times.parse_timestamp(text)


@given(st.datetimes(min_value=datetime(1970, 1, 1), max_value=datetime(2200, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001  # hypothesis wants naive bounds
def test_a_datetime_survives_the_way_through_ticks(moment: datetime) -> None:
    ticks = times.to_ticks(moment)
    assert times.to_datetime(ticks) == moment
    assert times.parse_timestamp(times.timestamp(ticks)) == ticks


@pytest.mark.parametrize(
    ("sent", "echoed"),
    [
        ("PT06M00S", "PT6M"),
        ("PT01H00M00S", "PT1H"),
        ("P3Y6M4DT12H30M5S", "P1279DT12H30M5S"),
        ("PT01H00M01.5S", "PT1H1.5S"),
        ("P1D", "P1D"),
        ("P7D", "P7D"),
        ("PT00.5S", "PT0.5S"),
        ("PT900S", "PT15M"),
        ("P", "PT0S"),
        ("PT0S", "PT0S"),
        ("P1000000000D", times.UNLIMITED_TEXT),
        (times.UNLIMITED_TEXT, times.UNLIMITED_TEXT),
    ],
)
def test_a_duration_is_normalised(sent: str, echoed: str) -> None:
    assert times.format_duration(times.parse_duration(sent)) == echoed


@pytest.mark.parametrize("text", ["", "PT", "1D", "-P1D", "P1H", "PT1D", "five minutes"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a duration"):
        times.parse_duration(text)


@given(st.integers(min_value=0, max_value=times.UNLIMITED))
def test_a_duration_survives_being_written(ticks: int) -> None:
    assert times.parse_duration(times.format_duration(ticks)) == ticks


def test_an_unlimited_duration_is_no_limit() -> None:
    assert times.seconds_of(times.UNLIMITED_TEXT) is None
    assert times.seconds_of("PT1M30S") == 90.0
