"""Marks say whose a thing is and until when; what says nothing, or nonsense, never expires."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from orchestrator.spec.job import CleanupWhen
from orchestrator.spec.marks import (
    EXPIRES_KEY,
    NET_KEY,
    OWNER_KEY,
    RUN_KEY,
    as_mark,
    expires_at,
    expiry,
    ownership_marks,
    released,
    renewed,
)

NOW = datetime(2026, 3, 1, 12, 0, 0, 700_000, tzinfo=UTC)
HOUR = timedelta(hours=1)


def marks(until: datetime | None) -> tuple[tuple[str, str], ...]:
    return tuple(ownership_marks(run_id="r", job_id="j", owner="m-1", until=until).items())


def test_an_expiry_is_read_as_it_was_written_to_the_second() -> None:
    assert expires_at(marks(NOW)) == NOW.replace(microsecond=0)
    assert dict(marks(NOW))[EXPIRES_KEY] == "2026-03-01T12:00:00Z"


@pytest.mark.parametrize("told", ["", "soon", "2026-03-01", "2026-03-01T12:00:00"])
def test_what_can_not_be_read_never_expires(told: str) -> None:
    assert expires_at({EXPIRES_KEY: told}) is None


def test_what_is_to_stay_has_no_expiry_but_an_owner() -> None:
    assert expiry(CleanupWhen.NEVER, now=NOW, lifetime=60) is None
    assert expiry(CleanupWhen.ASK, now=NOW, lifetime=60) == NOW + timedelta(seconds=60)
    assert {RUN_KEY, OWNER_KEY} <= dict(marks(None)).keys()
    assert expires_at(marks(None)) is None


def test_a_renewal_changes_the_expiry_and_nothing_else() -> None:
    pairs = (("theirs", "1"), *marks(NOW), ("theirs", "2"))
    assert renewed(pairs, NOW + HOUR) == (("theirs", "1"), *marks(NOW + HOUR), ("theirs", "2"))


def test_a_renewal_never_shortens_and_leaves_alone_what_is_enough() -> None:
    assert renewed(marks(NOW), NOW) is None
    assert renewed(marks(NOW + HOUR), NOW) is None
    assert renewed(marks(NOW + HOUR), NOW + 2 * HOUR, enough=NOW + HOUR) is None
    assert renewed(marks(NOW), NOW + 2 * HOUR, enough=NOW + HOUR) is not None


def test_what_does_not_expire_is_not_renewed() -> None:
    assert renewed(marks(None), NOW) is None


def test_what_is_released_stays_and_is_still_known() -> None:
    assert released((*marks(NOW), (NET_KEY, "on"))) == marks(None)
    assert released(marks(None)) is None


def test_a_mark_is_in_utc_wherever_it_was_made() -> None:
    assert as_mark(datetime.fromisoformat("2026-03-01T14:00:00+02:00")) == "2026-03-01T12:00:00Z"
