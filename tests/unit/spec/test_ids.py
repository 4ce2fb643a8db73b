from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator import SpecError
from orchestrator.spec import (
    application_container,
    check_run_id,
    expand_id,
    expand_run,
    id_problem,
    input_container,
    new_run_id,
    output_container,
)
from orchestrator.spec.ids import SAMPLE_RUN_ID, has_index

# Azure's own rule for a container's name.
CONTAINER = re.compile(r"(?=.{3,63}\Z)[a-z0-9](?:-?[a-z0-9])*")
_times = st.datetimes(datetime(1970, 1, 1), datetime(9000, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - bounds are naive there


@given(_times)
def test_a_run_id_is_valid_in_ids_and_container_names(now: datetime) -> None:
    run_id = new_run_id(now)
    assert id_problem(run_id) is None
    assert len(run_id) == len(SAMPLE_RUN_ID)
    assert check_run_id(run_id) == run_id
    for name in (input_container(run_id), output_container(run_id)):
        assert CONTAINER.fullmatch(name)


@given(_times, st.integers(1, 10**7))
def test_run_ids_sort_as_their_times_do(now: datetime, seconds: int) -> None:
    assert new_run_id(now) < new_run_id(now + timedelta(seconds=seconds))


def test_a_run_id_tells_utc_whatever_the_clocks_zone() -> None:
    east = datetime(2026, 11, 22, 23, 44, 55, tzinfo=timezone(timedelta(hours=2)))
    assert new_run_id(east).startswith("20261122t214455-")


def test_two_run_ids_of_one_second_differ() -> None:
    now = datetime(2026, 11, 22, tzinfo=UTC)
    assert new_run_id(now) != new_run_id(now)


@pytest.mark.parametrize("text", ["", "A", "a--b", "-a", "a-", "a_b", "a" * 41, "a\n"])
def test_what_no_container_can_be_named_after_is_no_run_id(text: str) -> None:
    with pytest.raises(SpecError):
        check_run_id(text)


@given(st.text(max_size=70))
def test_an_id_is_one_to_64_letters_digits_dashes_and_underscores(text: str) -> None:
    allowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"
    right = 1 <= len(text) <= 64 and all(character in allowed for character in text)
    assert (id_problem(text) is None) == right


def test_an_applications_container_is_named_by_its_content() -> None:
    name = application_container("AB" * 32)
    assert name == "app-" + "ab" * 20
    assert CONTAINER.fullmatch(name)
    with pytest.raises(SpecError):
        application_container("../x")


@pytest.mark.parametrize(
    ("template", "expanded"),
    [
        ("t-{index}", "t-7"),
        ("t-{index:05}", "t-00007"),
        ("t-{index:05d}-{run}", "t-00007-r1"),
        ("t-{index:>5}", "t-{index:>5}"),
        ("t-{index:999999999}", "t-{index:999999999}"),
        ("{other}", "{other}"),
    ],
)
def test_only_index_and_run_are_replaced_in_an_id(template: str, expanded: str) -> None:
    assert expand_id(template, run_id="r1", index=7) == expanded


@given(st.integers(0, 10**6))
def test_every_index_gives_another_id(index: int) -> None:
    assert expand_id("t-{index:05}", run_id="r", index=index) != expand_id(
        "t-{index:05}", run_id="r", index=index + 1
    )


def test_run_is_replaced_in_any_text_and_index_is_not() -> None:
    assert expand_run("results/{run}/{index}", "r1") == "results/r1/{index}"
    assert has_index("a-{index:03}")
    assert not has_index("a-{run}")
