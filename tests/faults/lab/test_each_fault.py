"""Every fault of the lab alone during a run: the same end as without it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anyio
import msgspec
import pytest

from orchestrator import RunOutcome, TaskCompleted
from orchestrator.local.faults import FaultLab
from orchestrator.local.faults.kinds import Fault
from tests.faults.lab.conftest import Make, Open

TASKS = 24

FAULTS: dict[str, dict[str, Any]] = {
    "refuse 503": {"fault": {"kind": "refuse", "status": 503}, "on": ["*"], "probability": 0.3},
    "refuse 429": {
        "fault": {"kind": "refuse", "status": 429, "retry_after": 1},
        "on": ["*"],
        "probability": 0.1,
    },
    "refuse 500": {"fault": {"kind": "refuse", "status": 500}, "on": ["*"], "probability": 0.2},
    "time_out_after_work": {"fault": {"kind": "time_out_after_work"}, "on": ["*"], "probability": 0.2},
    "drop_answer": {"fault": {"kind": "drop_answer"}, "on": ["*"], "probability": 0.2},
    "reset_connection": {"fault": {"kind": "reset_connection"}, "on": ["*"], "probability": 0.2},
    "slow": {"fault": {"kind": "slow", "seconds": 0.5}, "on": ["*"], "probability": 0.2},
    "partial_collection": {"fault": {"kind": "partial_collection"}, "count": 1},
    "partial_collection broken": {"fault": {"kind": "partial_collection", "outcome": "broken"}, "count": 1},
    "stale": {"fault": {"kind": "stale", "seconds": 1}, "probability": 0.5, "count": 20},
    "fail_allocation": {"fault": {"kind": "fail_allocation"}, "count": 1},
    "fail_start_task": {"fault": {"kind": "fail_start_task"}, "count": 1},
    "unusable_node": {"fault": {"kind": "unusable_node"}, "on": ["run_task"], "after": 5, "count": 1},
    "lose_node": {"fault": {"kind": "lose_node", "seconds": 0.05}, "after": 5, "count": 1},
    "preempt_node": {"fault": {"kind": "preempt_node", "away": 0.5}, "after": 5, "count": 1},
    "fail_transfer up": {"fault": {"kind": "fail_transfer"}, "on": ["blob_upload"], "count": 3},
    "fail_transfer down": {"fault": {"kind": "fail_transfer"}, "on": ["blob_download"], "count": 3},
    "expired_sas": {"fault": {"kind": "expired_sas"}, "on": ["blob_upload"], "count": 2},
    "linger": {"fault": {"kind": "linger", "seconds": 1}, "count": 2},
}


@pytest.mark.parametrize("kind", Fault.__args__, ids=lambda kind: str(kind.__struct_config__.tag))
def test_no_fault_of_the_lab_is_left_out(kind: type[msgspec.Struct]) -> None:
    assert str(kind.__struct_config__.tag) in {str(rule["fault"]["kind"]) for rule in FAULTS.values()}


@pytest.mark.parametrize("name", FAULTS)
async def test_a_run_comes_to_the_same_end_through_it(
    open_orchestrator: Open, make_job: Make, lab: FaultLab, tmp_path: Path, name: str
) -> None:
    rule = lab.add({**FAULTS[name], "seed": 7})
    for number in range(TASKS):
        (tmp_path / f"in{number:02}.txt").write_text(f"{number}\n")
    spot = {"target_dedicated_nodes": 0, "target_low_priority_nodes": 1} if name == "preempt_node" else {}
    spec = make_job(
        pool={**spot, "start_task": {"commands": ["true"]}},
        task_factory={
            "per_file": "in*.txt",
            "id": "t{index:02}",
            "command_line": "cat {file} > out.txt",
            "output_files": ["out.txt"],
        },
        retries={"storage": 3, "infrastructure": 3, "service": 3},
    )
    ends: list[TaskCompleted] = []
    async with open_orchestrator(attempts=12) as orchestrator:
        orchestrator.on(TaskCompleted, ends.append)
        run = await orchestrator.submit(spec)
        with anyio.fail_after(90):
            result = await run.wait()
    assert (result.outcome, result.error, result.leftovers) == (RunOutcome.SUCCEEDED, None, ())
    assert lab.fired(rule) > 0
    assert sorted(end.key.task_id for end in ends) == [f"t{number:02}" for number in range(TASKS)]
    folder = tmp_path / "results" / run.job_id
    read = {f"t{number:02}": (folder / f"t{number:02}" / "out.txt").read_text() for number in range(TASKS)}
    assert read == {f"t{number:02}": f"{number}\n" for number in range(TASKS)}
