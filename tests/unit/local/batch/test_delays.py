from __future__ import annotations

import dataclasses

import pytest

from orchestrator.local.batch.delays import LIVE_DELAYS, NO_DELAYS, Pace, Profile


def test_a_scale_makes_all_of_it_shorter_but_not_what_waits_for_a_client() -> None:
    short = LIVE_DELAYS.scaled(0.01)
    assert short.allocation == pytest.approx(0.5)
    assert short.empty_job == LIVE_DELAYS.empty_job
    assert LIVE_DELAYS.scaled(1) == LIVE_DELAYS


def test_the_profiles_are_no_delay_and_the_measured_ones() -> None:
    assert Profile("instant").delays is NO_DELAYS
    live = dataclasses.asdict(Profile("live").delays)
    assert all(seconds > 0 for seconds in live.values())
    assert live["allocation"] == 50
    assert live["node_creation"] + live["node_start"] == 20


def test_a_task_starts_within_the_limits() -> None:
    pace = Pace(LIVE_DELAYS)
    drawn = [pace.task_start() for _ in range(100)]
    assert 0.6 <= min(drawn) < max(drawn) <= 2.5
    assert Pace(NO_DELAYS).task_start() == 0


def test_the_pace_can_be_changed_and_a_wrong_one_changes_nothing() -> None:
    pace = Pace(LIVE_DELAYS, 0.1)
    assert pace.now.allocation == pytest.approx(5)
    for wrong in (-1, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="time scale"):
            pace.set_scale(wrong)
    assert pace.scale == 0.1
    pace.set_scale(0)
    assert pace.now.allocation == 0
