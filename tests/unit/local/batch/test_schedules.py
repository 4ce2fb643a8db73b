from __future__ import annotations

import pytest

from orchestrator.local.batch.store.schedules import (
    ScheduleRecord,
    ScheduleState,
    Step,
    What,
    decide,
    schedule_wire,
)
from orchestrator.local.batch.store.states import ImpossibleMoveError
from orchestrator.local.wire.times import TICKS_PER_SECOND, parse_timestamp, timestamp

START = parse_timestamp("2026-01-01T00:00:00Z")
HOUR = 3600 * TICKS_PER_SECOND


def schedule(**timing: str) -> ScheduleRecord:
    spec = {"schedule": timing, "jobSpecification": {"poolInfo": {"poolId": "p"}}}
    record = ScheduleRecord(id="s", spec=spec, created=START, modified=START, state_since=START)
    record.replan(START)
    return record


def at(hours: float) -> int:
    return START + int(hours * HOUR)


def test_the_first_job_is_made_at_once_and_the_next_after_an_interval() -> None:
    one = schedule(recurrenceInterval="PT1H")
    assert decide(one, job_open=False, at=START) == Step(What.MAKE_A_JOB)
    one.note_run(START)
    assert (one.due, one.recent_job) == (at(1), "s:job-1")
    assert decide(one, job_open=True, at=at(0.5)) == Step(What.WAIT, at(1))


def test_a_job_that_goes_on_holds_the_next_one_up() -> None:
    one = schedule(recurrenceInterval="PT1H")
    one.note_run(START)
    assert decide(one, job_open=True, at=at(2.5)) == Step(What.WAIT)
    assert decide(one, job_open=False, at=at(2.5)) == Step(What.MAKE_A_JOB)
    one.note_run(at(2.5))
    assert one.due == at(3)


def test_a_window_that_has_closed_is_passed_by() -> None:
    one = schedule(recurrenceInterval="PT1H", startWindow="PT10M")
    one.note_run(START)
    assert decide(one, job_open=True, at=at(1)).until == at(1) + HOUR // 6 + 1
    assert decide(one, job_open=False, at=at(1.5)) == Step(What.PASS_BY)
    one.pass_by(at(1.5))
    assert decide(one, job_open=False, at=at(1.5)) == Step(What.WAIT, at(2))


def test_without_recurrence_it_ends_with_its_job() -> None:
    one = schedule()
    one.note_run(START)
    assert decide(one, job_open=True, at=at(1)) == Step(What.WAIT)
    assert decide(one, job_open=False, at=at(1)) == Step(What.COMPLETE)


def test_it_begins_and_ends_when_it_is_told() -> None:
    one = schedule(
        recurrenceInterval="PT1H", doNotRunUntil=timestamp(at(2)), doNotRunAfter=timestamp(at(2.5))
    )
    assert decide(one, job_open=False, at=START) == Step(What.WAIT, at(2))
    assert decide(one, job_open=False, at=at(2)) == Step(What.MAKE_A_JOB)
    one.note_run(at(2))
    assert decide(one, job_open=True, at=at(2)) == Step(What.WAIT)
    assert decide(one, job_open=False, at=at(2.1)) == Step(What.COMPLETE)


def test_a_disabled_one_makes_nothing() -> None:
    one = schedule(recurrenceInterval="PT1H")
    one.move(ScheduleState.DISABLED, START)
    assert decide(one, job_open=False, at=at(5)) == Step(What.WAIT)


def test_new_times_count_from_the_change() -> None:
    one = schedule(recurrenceInterval="PT10H")
    one.note_run(START)
    one.spec = {**one.spec, "schedule": {"recurrenceInterval": "PT1H"}}
    one.replan(at(3))
    assert one.due == at(4)


def test_it_is_shown_in_the_recorded_order() -> None:
    one = schedule(recurrenceInterval="P1D")
    one.note_run(START)
    wire = schedule_wire(one, "http://a")
    assert list(wire) == [
        *("id", "url", "eTag", "lastModified", "creationTime", "state", "stateTransitionTime"),
        *("schedule", "jobSpecification", "executionInfo"),
    ]
    assert wire["executionInfo"] == {
        "nextRunTime": "2026-01-02T00:00:00Z",
        "recentJob": {"url": "http://a/jobs/s:job-1", "id": "s:job-1"},
    }


def test_what_is_over_does_not_begin_again() -> None:
    one = schedule()
    one.move(ScheduleState.COMPLETED, START)
    with pytest.raises(ImpossibleMoveError):
        one.move(ScheduleState.ACTIVE, START)
