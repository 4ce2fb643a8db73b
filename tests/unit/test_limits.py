from __future__ import annotations

import math

import msgspec
import pytest

from orchestrator.errors import ConfigError
from orchestrator.limits import Limits

FIELDS = msgspec.structs.fields(Limits)
COUNTS = [field.name for field in FIELDS if field.type is int]
TIMES = [field.name for field in FIELDS if field.type is float]


def test_every_limit_is_a_number() -> None:
    assert {*COUNTS, *TIMES} == {field.name for field in FIELDS}


@pytest.mark.parametrize("name", [*COUNTS, *TIMES])
@pytest.mark.parametrize("value", [-1, "8", None, True], ids=repr)
def test_what_can_not_be_a_limit_is_refused_by_name(name: str, value: object) -> None:
    with pytest.raises(ConfigError, match=rf"limits.{name}: must be") as caught:
        Limits(**{name: value})  # type: ignore[arg-type]
    assert caught.value.where == f"limits.{name}"


@pytest.mark.parametrize("name", TIMES)
@pytest.mark.parametrize("value", [math.inf, math.nan])
def test_a_time_without_an_end_is_refused(name: str, value: float) -> None:
    with pytest.raises(ConfigError, match=rf"limits.{name}: must be finite"):
        Limits(**{name: value})  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["uploads", "downloads", "submissions", "attempts", "cleanup_timeout"])
def test_nothing_would_ever_happen_with_none(name: str) -> None:
    with pytest.raises(ConfigError, match=rf"limits.{name}"):
        Limits(**{name: 0})


@pytest.mark.parametrize("name", ["backoff", "close_grace", "sas_margin", "sas_backdate"])
def test_no_pause_no_grace_and_no_margin_are_choices(name: str) -> None:
    assert getattr(Limits(**{name: 0}), name) == 0


def test_half_an_upload_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"limits.uploads: must be a whole number, not 2.5"):
        Limits(uploads=2.5)  # type: ignore[arg-type]


def test_more_than_the_service_takes_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"limits.tasks_per_request: must be 100 or less"):
        Limits(tasks_per_request=101)


def test_the_shortest_pause_is_no_longer_than_the_longest() -> None:
    assert Limits(poll_interval=0.2, poll_floor=0.2).poll_floor == 0.2
    with pytest.raises(ConfigError, match=r"limits.poll_floor: must not be longer than poll_interval"):
        Limits(poll_interval=0.1)


def test_a_copy_with_changes_and_one_from_a_file_are_checked_too() -> None:
    with pytest.raises(ConfigError, match=r"limits.uploads"):
        msgspec.convert({"uploads": 0}, Limits)
    with pytest.raises(ConfigError, match=r"limits.uploads"):
        msgspec.structs.replace(Limits(), uploads=0)
