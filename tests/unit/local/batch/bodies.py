"""Request bodies that tests start from."""

from __future__ import annotations

from typing import Any

from orchestrator.local.batch.store.creation import make_job, make_pool, make_task, read_task
from orchestrator.local.batch.store.records import JobRecord, PoolRecord, TaskRecord
from orchestrator.local.wire.times import parse_timestamp

AT = parse_timestamp("2024-01-01T00:00:00.5Z")
URL = "http://127.0.0.1:1"

POOL: dict[str, Any] = {
    "id": "p",
    "vmSize": "STANDARD_D2s_v3",
    "virtualMachineConfiguration": {
        "imageReference": {"publisher": "Canonical", "offer": "UbuntuServer", "sku": "18.04-LTS"},
        "nodeAgentSKUId": "batch.node.ubuntu 18.04",
    },
}
JOB: dict[str, Any] = {"id": "j", "poolInfo": {"poolId": "p"}}
TASK: dict[str, Any] = {"id": "t", "commandLine": "true"}


def pool(**changes: Any) -> PoolRecord:
    return make_pool({**POOL, **changes}, AT)


def job(**changes: Any) -> JobRecord:
    return make_job({**JOB, **changes}, 1, arrived=AT - 7, at=AT)


def task(of: JobRecord, **changes: Any) -> TaskRecord:
    body = {**TASK, **changes}
    return make_task(of, body, read_task(body), AT)
