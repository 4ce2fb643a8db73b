from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import hypothesis
from hypothesis import strategies as st

from orchestrator.daemon.records import Phase, RunRecord, Source
from orchestrator.daemon.turns import in_line


def record(number: int, submitter: str = "a", priority: int = 0) -> RunRecord:
    return RunRecord(
        number=number,
        run_id=f"run-{number}",
        job_id="job",
        submitter=submitter,
        priority=priority,
        source=Source.HTTP,
        name="job.toml",
        parent=None,
        folder=None,
        results=Path(),
        phase=Phase.QUEUED,
        accepted_at=datetime(2026, 1, 1, tzinfo=UTC),
    )


def numbers(waiting: list[RunRecord], under_way: list[RunRecord] | None = None) -> list[int]:
    return [each.number for each in in_line(waiting, under_way or [])]


def test_one_submitters_runs_begin_in_the_order_of_arrival() -> None:
    assert numbers([record(2), record(1), record(3)]) == [1, 2, 3]


def test_a_higher_priority_goes_first() -> None:
    assert numbers([record(1), record(2, priority=5), record(3, priority=-1)]) == [2, 1, 3]


def test_submitters_take_turns_however_many_runs_one_has() -> None:
    many = [record(number) for number in range(1, 6)]
    assert numbers([*many, record(6, "b"), record(7, "b")]) == [1, 6, 2, 7, 3, 4, 5]


def test_who_has_runs_under_way_lets_others_go_first() -> None:
    assert numbers([record(3), record(4, "b")], [record(1), record(2)]) == [4, 3]


@hypothesis.given(
    st.lists(st.tuples(st.sampled_from("abc"), st.integers(-1, 1)), max_size=30),
    st.lists(st.sampled_from("abc"), max_size=5),
)
def test_everybody_gets_a_turn_once_and_nobody_is_overtaken_by_a_later_run_of_the_same(
    waiting: list[tuple[str, int]], under_way: list[str]
) -> None:
    runs = [record(number, who, priority) for number, (who, priority) in enumerate(waiting)]
    line = in_line(runs, [record(1000 + index, who) for index, who in enumerate(under_way)])
    assert sorted(each.number for each in line) == list(range(len(runs)))
    assert [each.priority for each in line] == sorted((each.priority for each in line), reverse=True)
    for who in "abc":
        for priority in (-1, 0, 1):
            own = [each.number for each in line if (each.submitter, each.priority) == (who, priority)]
            assert own == sorted(own)
