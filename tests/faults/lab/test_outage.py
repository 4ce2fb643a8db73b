"""A failed poll never fails a healthy task: a long outage is waited out, and told."""

from __future__ import annotations

import pytest

from orchestrator import RunOutcome, RunStalled, StallCode
from orchestrator.local.faults import FaultLab
from tests.faults.lab.conftest import Make, Open

FAULTS = ({"kind": "refuse", "status": 503}, {"kind": "refuse", "status": 429}, {"kind": "reset_connection"})


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: f"{fault['kind']} {fault.get('status', '')}")
async def test_an_outage_longer_than_an_operation_may_take_ends_no_run(
    open_orchestrator: Open, make_job: Make, lab: FaultLab, fault: dict[str, object]
) -> None:
    looks = ["list_tasks", "get_job", "get_pool", "list_nodes"]
    rule = lab.add({"fault": fault, "on": looks, "after": 8, "count": 60})
    told: list[RunStalled] = []
    async with open_orchestrator(operation_timeout=1.0, attempts=2, stall_after=0.3) as orchestrator:
        orchestrator.on(RunStalled, told.append)
        run = await orchestrator.submit(make_job(tasks=[{"id": "t", "command_line": "sleep 3"}]))
        result = await run.wait()
    assert (result.outcome, result.leftovers) == (RunOutcome.SUCCEEDED, ())
    assert lab.fired(rule) == 60
    assert StallCode.OUTAGE in {reason.code for event in told for reason in event.reasons}
