from __future__ import annotations

from datetime import timedelta

import isodate  # type: ignore[import-untyped]  # it has no types
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.spec import Duration

_lengths = st.timedeltas(timedelta(0), timedelta(days=36_000))


@given(_lengths)
def test_a_duration_is_the_same_after_it_was_written_as_iso(length: timedelta) -> None:
    duration = Duration.of(length)
    assert Duration(duration.iso) == duration
    assert hash(Duration(duration.iso)) == hash(duration)


@given(_lengths)
def test_an_independent_reader_of_iso_finds_the_same_length(length: timedelta) -> None:
    duration = Duration.of(length)
    assert isodate.parse_duration(duration.iso).total_seconds() == pytest.approx(duration.seconds, abs=1e-5)


@given(st.integers(0, 99), st.integers(0, 99), st.integers(0, 99))
def test_units_add_up(hours: int, minutes: int, seconds: int) -> None:
    assert Duration(f"{hours}h{minutes}m{seconds}s").timedelta == timedelta(
        hours=hours, minutes=minutes, seconds=seconds
    )


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("20m", 1200),
        ("PT20M", 1200),
        ("1h30m", 5400),
        ("P1DT1S", 86401),
        ("1.5s", 1.5),
        ("2w", 1209600),
        ("250ms", 0.25),
    ],
)
def test_job_files_may_write_lengths_of_time_in_two_ways(text: str, seconds: float) -> None:
    assert Duration(text).seconds == seconds


@pytest.mark.parametrize(
    "text",
    ["", "20", "P", "PT", "P1DT", "1h 30m", "-5m", "5 minutes", "1e3s", "101000d", "٣m", "9" * 400 + "s"],
)
def test_what_is_no_length_of_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"length of time|hundred years"):
        Duration(text)


def test_the_service_gets_nothing_as_pt0s_and_never_as_p() -> None:
    assert Duration("0s").iso == "PT0S"
    assert Duration.of(86400).iso == "P1D"


def test_durations_compare_by_length() -> None:
    assert Duration("60s") == Duration("1m")
    assert Duration("59s") < Duration("1m")
