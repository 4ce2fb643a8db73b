"""Handler of node counts."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from orchestrator.local.batch.account import Account
from orchestrator.local.batch.filters import COUNT_FILTERS
from orchestrator.local.batch.pages import list_page
from orchestrator.local.batch.store.records import NodeRecord, PoolRecord
from orchestrator.local.batch.store.states import NodeState
from orchestrator.local.wire.call import Call, Reply

_ORDER: Final = (
    "creating",
    "idle",
    "leavingPool",
    "offline",
    "preempted",
    "rebooting",
    "reimaging",
    "running",
    "starting",
    "startTaskFailed",
    "unusable",
    "unknown",
    "waitingForStartTask",
    "deallocated",
    "deallocating",
    "upgradingOS",
)
"""Recorded in 2023, up to those of deallocation."""

_MEMBER_OF: Final = {
    state: next(name for name in _ORDER if name.lower() == state.value) for state in NodeState
}


async def list_all(account: Account, call: Call) -> Reply:
    """GET /nodecounts."""

    def show(pool: PoolRecord) -> dict[str, Any]:
        nodes = list(pool.nodes)
        return {
            "poolId": pool.id,
            "dedicated": _count(node for node in nodes if node.dedicated),
            "lowPriority": _count(node for node in nodes if not node.dedicated),
        }

    return list_page(call, "poolnodecounts", account.pool_records.after, show, fields=COUNT_FILTERS)


def _count(nodes: Iterable[NodeRecord]) -> dict[str, int]:
    counts = dict.fromkeys(_ORDER, 0)
    total = 0
    for node in nodes:
        counts[_MEMBER_OF[node.state]] += 1
        total += 1
    return {**counts, "total": total}
