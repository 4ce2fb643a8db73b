"""The Batch endpoint with a fault lab."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from orchestrator.local.batch.delays import NO_DELAYS, Pace
from orchestrator.local.batch.endpoint import BatchEndpoint
from orchestrator.local.batch.node import NodeProcess
from orchestrator.local.faults import FaultLab
from orchestrator.local.faults.control import Control
from orchestrator.local.faults.interference import FaultInterference
from tests.conformance.clients import ACCOUNT, KEY
from tests.conformance.faults.control import CONTROL_KEY


@pytest.fixture
def lab() -> FaultLab:
    return FaultLab()


@pytest.fixture
async def endpoint(tmp_path: Path, lab: FaultLab) -> AsyncIterator[BatchEndpoint]:
    pace = Pace(NO_DELAYS)
    one = BatchEndpoint(
        account_name=ACCOUNT,
        account_key=KEY,
        data_dir=tmp_path,
        start_node=NodeProcess.start,
        delays=pace,
        interference=FaultInterference(lab),
        mount=Control(lab, pace, CONTROL_KEY).mount,
    )
    await one.start()
    yield one
    await one.close()
