"""Histories: what a formula reads off them."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.local.batch.autoscale import Metrics, SampleHistory
from tests.unit.local.batch.autoscale.pool import BORN, NOW, failure, sampled, value


def seconds(number: float) -> timedelta:
    return timedelta(seconds=number)


def changing() -> Metrics:
    """At 0 s one task, at 40 s two, from 70 s to 80 s a hundred, then three."""
    metrics = Metrics(BORN)
    for after, tasks in ((0, 1), (40, 2), (70, 100), (80, 3)):
        metrics.record("$PendingTasks", BORN + seconds(after), tasks)
    return metrics


def test_samples_are_the_values_at_the_points_of_a_grid_newest_first() -> None:
    assert value("$PendingTasks.GetSample(9)", changing(), now=BORN + seconds(125)) == "[3,3,2,1,1]"
    assert value("$PendingTasks.GetSample(2)", changing(), now=BORN + seconds(119)) == "[3,2]"
    assert value("$PendingTasks.GetSample(0)", changing()) == "[]"


def test_a_time_looks_back_from_now_or_is_an_instant() -> None:
    at = BORN + seconds(120)
    recent = "$PendingTasks.GetSample(TimeInterval_Minute)"
    assert value(recent, changing(), now=at) == "[3,3]"
    both = "$PendingTasks.GetSample(TimeInterval_Minute, 2 * TimeInterval_Minute)"
    assert value(both, changing(), now=at) == "[2,1]"
    exchanged = "$PendingTasks.GetSample(2 * TimeInterval_Minute, TimeInterval_Minute)"
    assert value(exchanged, changing(), now=at) == "[2,1]"
    instants = '$PendingTasks.GetSample(time("2024-03-04T09:00:00Z"), time() + -TimeInterval_Minute, 100)'
    assert value(instants, changing(), now=at) == "[2,1]"


def test_a_percentage_compares_with_what_could_be_there() -> None:
    metrics = sampled({"$PendingTasks": 5})
    at = BORN + seconds(270)
    assert value("$PendingTasks.GetSamplePercent(10 * TimeInterval_Minute)", metrics, now=at) == "50"
    assert value("$PendingTasks.GetSamplePercent(5 * TimeInterval_Minute)", metrics, now=at) == "100"
    assert value("len($PendingTasks.GetSample(10 * TimeInterval_Minute, 50))", metrics, now=at) == "10"
    assert failure("$PendingTasks.GetSample(10 * TimeInterval_Minute, 50.5)", metrics, now=at).endswith(
        "Insufficient data from data set: $PendingTasks wanted 50.5%, received 50%"
    )


def test_a_delay_hides_the_newest_samples() -> None:
    metrics = sampled({"$PendingTasks": 5}, delay=seconds(60))
    assert value("$PendingTasks.GetSamplePercent(10 * TimeInterval_Minute)", metrics) == "90"
    assert value("$PendingTasks.GetSample(1)", metrics, now=BORN + seconds(59)) == "[]"


def test_a_history_tells_its_length_its_period_and_its_beginning() -> None:
    metrics = sampled({"$PendingTasks": 5}, kept=timedelta(minutes=30))
    assert value("$PendingTasks.Count()", metrics, now=BORN + seconds(95)) == "4"
    assert value("$PendingTasks.GetSamplePeriod()", metrics) == "PT30S"
    assert value("$PendingTasks.HistoryBeginTime()", metrics, now=BORN) == "2024-03-04T09:00:00.000Z"
    assert value("$PendingTasks.Count()", metrics) == "60"
    assert value("$PendingTasks.HistoryBeginTime()", metrics) == "2024-03-04T09:30:30.000Z"


def test_the_pools_present_numbers_have_samples_too() -> None:
    metrics = sampled({"$CurrentDedicatedNodes": 8})
    assert value("max($CurrentDedicatedNodes.GetSample(5)) + $CurrentDedicatedNodes", metrics) == "10"


def test_only_what_is_sampled_can_be_recorded() -> None:
    with pytest.raises(ValueError, match=r"\$CPUPercent is not a variable that is sampled"):
        Metrics(BORN).record("$CPUPercent", NOW, 1)


def test_a_history_stays_small_however_often_the_value_changes() -> None:
    history = SampleHistory(0, period=30, kept=10)
    for at in range(3000):
        history.record(at, float(at))
    assert len(history._points) <= 12
    assert history.latest(2, 2999) == (2970.0, 2940.0)
    assert history.count(2999) == 10


@given(
    st.lists(st.tuples(st.integers(0, 500), st.integers(0, 3).map(float)), max_size=40).map(sorted),
    st.integers(0, 700),
    st.integers(0, 60),
    st.integers(-50, 700),
    st.integers(-50, 700),
)
def test_a_history_agrees_with_a_plain_list(
    changes: list[tuple[int, float]], now: int, delay: int, start: int, end: int
) -> None:
    kept = 12
    # Nothing is recorded ahead of time, or the history would forget what can still be seen.
    changes = [change for change in changes if change[0] <= now]
    history = SampleHistory(0, period=10, kept=kept, delay=delay)
    for at, number in changes:
        history.record(at, number)
    plain = [
        (point, [number for at, number in changes if at <= point][-1])
        for point in range(0, now - delay + 1, 10)
        if any(at <= point for at, _ in changes)
    ]
    newest = (now - delay) // 10 * 10
    plain = [(point, number) for point, number in plain if point > newest - kept * 10]
    assert history.latest(1000, now) == tuple(number for _, number in reversed(plain))
    assert history.count(now) == len(plain)
    assert history.begin_time(now) == (plain[0][0] if plain else 0)
    low, high = min(start, end), max(start, end)
    found = [number for point, number in reversed(plain) if low < point <= high]
    assert history.between(start, end, now) == tuple(found)
    possible = [point for point in range(-100, 801, 10) if low < point <= high]
    assert history.percent(start, end, now) == (100 * len(found) / len(possible) if possible else 0)
