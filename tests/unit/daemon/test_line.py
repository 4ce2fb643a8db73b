from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from orchestrator.daemon.line import Line
from orchestrator.daemon.records import Phase, RunRecord, Source


def record(number: int, job_id: str) -> RunRecord:
    return RunRecord(
        number=number,
        run_id=f"r-{number}",
        job_id=job_id,
        submitter="",
        priority=0,
        source=Source.HTTP,
        name="",
        parent=None,
        folder=None,
        results=Path(),
        phase=Phase.QUEUED,
        accepted_at=datetime(2026, 1, 1, tzinfo=UTC),
    )


def test_a_run_whose_job_is_under_way_is_passed_over_until_that_one_is_over() -> None:
    line = Line()
    first, second, other = record(1, "top"), record(2, "TOP"), record(3, "else")
    for each in (first, second, other):
        line.join(each)
    assert [line.place(each.run_id) for each in (first, second, other)] == [1, 2, 3]
    line.begin(first)
    assert line.place("r-1") is None
    assert line.place("r-2") == 1
    assert line.same_job(second) is first
    assert line.next() is other
    line.begin(other)
    assert line.next() is None
    line.end("r-1")
    assert line.same_job(second) is None
    assert line.next() is second


def test_who_leaves_the_line_has_no_place_and_those_behind_move_up() -> None:
    line = Line()
    for number in (1, 2):
        line.join(record(number, f"job-{number}"))
    assert line.leave("r-1")
    assert not line.leave("r-1")
    assert line.place("r-1") is None
    assert line.place("r-2") == 1
