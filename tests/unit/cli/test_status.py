from __future__ import annotations

from datetime import timedelta

import pytest

from orchestrator.cli.render.status import amount, length, status
from orchestrator.handlers.progress import Progress
from orchestrator.states import NodeState, RunState, TaskState
from tests.unit.cli.runs import BEGAN


def test_the_status_tells_uploads_nodes_tasks_downloads_and_both_times() -> None:
    progress = Progress(
        run_state=RunState.RUNNING,
        started_at=BEGAN,
        deadline=BEGAN + timedelta(minutes=20),
        files=4,
        files_staged=3,
        bytes_staged=1500,
        tasks=10,
        tasks_by_state=((TaskState.ACTIVE, 4), (TaskState.RUNNING, 2), (TaskState.COMPLETED, 4)),
        tasks_failed=1,
        nodes=1,
        target_nodes=2,
        nodes_by_state=((NodeState.RUNNING, 1),),
        tasks_downloaded=3,
        outputs=9,
        bytes_downloaded=2_000_000,
    )
    assert status(progress, BEGAN + timedelta(seconds=61)) == (
        "running, 0:01:01 elapsed, 0:18:59 remaining",
        "uploads    3/4, 1.5 kB",
        "nodes      1/2: 1 running",
        "tasks      10: 4 active, 2 running, 4 completed (1 failed)",
        "downloads  9 files of 3 tasks, 2.0 MB",
    )


def test_before_anything_happened_there_is_a_status_too() -> None:
    assert status(Progress(), BEGAN)[0] == "starting"


@pytest.mark.parametrize(
    ("size", "told"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (2_500_000, "2.5 MB"), (10**13, "10.0 TB")],
)
def test_an_amount_has_the_unit_that_suits_it(size: int, told: str) -> None:
    assert amount(size) == told


def test_time_that_has_run_out_is_shown_as_none_left() -> None:
    assert length(timedelta(seconds=-5)) == "0:00:00"
    assert length(timedelta(hours=26, seconds=1)) == "26:00:01"
