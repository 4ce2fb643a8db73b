"""What is wrong with a pool and its nodes, each with what to do about it: pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from orchestrator.spec.marks import NET_KEY
from orchestrator.states import (
    AllocationState,
    FailureInfo,
    NodeSnapshot,
    NodeState,
    PoolSnapshot,
    PoolState,
    StallCode,
    StallReason,
)
from orchestrator.tracker.failure_class import access_denied

WORKING: Final = (NodeState.IDLE, NodeState.RUNNING)
_NODES_NAMED: Final = 3
_BOOTING: Final = {
    NodeState.CREATING: "being created",
    NodeState.STARTING: "starting",
    NodeState.WAITING_FOR_START_TASK: "waiting for the start task",
    NodeState.REBOOTING: "rebooting",
    NodeState.REIMAGING: "being reimaged",
    NodeState.UPGRADING_OS: "upgrading the system",
    NodeState.PREEMPTED: "preempted",
    NodeState.LEAVING_POOL: "leaving the pool",
    NodeState.DEALLOCATING: "being deallocated",
    NodeState.DEALLOCATED: "deallocated",
    NodeState.UNKNOWN: "not answering the service",
}
_QUOTA_REMEDY: Final = (
    "ask for more cores (Azure portal: Batch account, Quotas), delete pools that hold them, or take a "
    "smaller vm_size or fewer nodes"
)
_RESIZE_REMEDIES: Final = {
    StallCode.QUOTA: _QUOTA_REMEDY,
    StallCode.ALLOCATION_TIMEOUT: (
        "it is asked for again by itself if this run made the pool; else give pool.resize_timeout more time, "
        "or take another vm_size or region, where there is capacity"
    ),
    StallCode.RESIZE_ERROR: (
        "it is asked for again by itself if it may pass and this run made the pool; else resize the pool, or "
        "take another vm_size"
    ),
}
_NODE_REMEDIES: Final = {
    StallCode.START_TASK_FAILED: (
        "read startup/stderr.txt on the node, correct pool.start_task, and reboot the nodes or use a new pool"
    ),
    StallCode.SAS_EXPIRED: (
        "the signed address in the start task is refused: run the job again, which renews it, and reboot the "
        "nodes"
    ),
    StallCode.NODE_UNUSABLE: (
        "reboot the node, or remove it from its pool; that is done by itself where this run made the pool"
    ),
    StallCode.NODE_OFFLINE: "enable scheduling on the node, or remove it from its pool",
    StallCode.IMAGE_RETIRED: "take an image that the service supports: name another sku in pool.image",
}


def is_quota(error: FailureInfo) -> bool:
    """Whether an error says that a quota of the account is used up, which no second try changes.

    Args:
        error: of a resize (REST: Pool - Get, resizeErrors).
    """
    return "quota" in error.code.lower()


def scales_itself(pool: PoolSnapshot) -> bool:
    """Whether its nodes are a formula's business; that of a run's own last net asks for what the run does.

    Args:
        pool: as the service describes it.
    """
    return bool(pool.body.get("enableAutoScale")) and NET_KEY not in dict(pool.metadata)


def pool_reasons(pool: PoolSnapshot) -> list[StallReason]:
    """Why a pool may not have the nodes it should.

    Args:
        pool: as the service describes it.
    """
    current = pool.current_dedicated_nodes + pool.current_low_priority_nodes
    target = pool.target_dedicated_nodes + pool.target_low_priority_nodes
    reasons = []
    if pool.state is PoolState.DELETING:
        told = f"pool {pool.id} is being deleted"
        reasons.append(_reason(StallCode.POOL_DELETING, told, "run the job again, on a pool that stays"))
    if pool.allocation_state is AllocationState.RESIZING:
        told = f"pool {pool.id} is resizing: it has {current} of {target} nodes"
        reasons.append(_reason(StallCode.POOL_RESIZING, told))
    if pool.allocation_state is AllocationState.STOPPING:
        told = f"the resize of pool {pool.id} is being stopped at {current} of {target} nodes"
        reasons.append(_reason(StallCode.POOL_RESIZING, told))
    for error in pool.resize_errors:
        code = _resize_code(error)
        told = f"pool {pool.id} did not get its nodes: {told_failure(error)}"
        reasons.append(_reason(code, told, _RESIZE_REMEDIES[code]))
    if target == 0 and current == 0:
        reasons.append(_nothing_wanted(pool))
    return reasons


def node_reasons(pool: PoolSnapshot, nodes: Sequence[NodeSnapshot]) -> list[StallReason]:
    """Why a pool's nodes may not run tasks; nodes with one and the same trouble are one reason.

    Args:
        pool: as the service describes it.
        nodes: all of it.
    """
    if not nodes:
        wanted = pool.current_dedicated_nodes + pool.current_low_priority_nodes
        wanted += pool.target_dedicated_nodes + pool.target_low_priority_nodes
        told = f"pool {pool.id} has no nodes yet"
        return [_reason(StallCode.NO_NODES_YET, told)] if wanted else []
    troubles: dict[tuple[StallCode, str], list[str]] = {}
    for node in nodes:
        if (trouble := _trouble(node)) is not None:
            troubles.setdefault(trouble, []).append(node.id)
    reasons = [
        _reason(code, f"{_named(named)}: {told}", _NODE_REMEDIES.get(code, ""))
        for (code, told), named in troubles.items()
    ]
    if not any(node.state in WORKING for node in nodes):
        told = f"none of the {len(nodes)} nodes of pool {pool.id} can run tasks"
        reasons.insert(0, _reason(StallCode.NO_NODE_WORKS, told))
    elif all(not node.scheduling_enabled for node in nodes if node.state in WORKING):
        told = f"scheduling is disabled on every working node of pool {pool.id}"
        remedy = "enable scheduling on the nodes, or remove them from the pool"
        reasons.insert(0, _reason(StallCode.SCHEDULING_DISABLED, told, remedy))
    return reasons


def told_failure(failure: FailureInfo) -> str:
    """A failure in one phrase: its code, the service's sentence, and the details.

    Args:
        failure: any.
    """
    details = "".join(f" ({name}: {value})" for name, value in failure.details)
    return f"{failure.code}: {failure.message}{details}" if failure.message else f"{failure.code}{details}"


def _nothing_wanted(pool: PoolSnapshot) -> StallReason:
    if pool.body.get("enableAutoScale"):
        told = f"pool {pool.id} has no nodes and wants none: its autoscale formula gives 0"
        return _reason(StallCode.NO_NODES_WANTED, told, "correct the formula, or disable autoscale")
    told = f"pool {pool.id} has no nodes and wants none: its targets are 0"
    return _reason(StallCode.NO_NODES_WANTED, told, "resize the pool, or give pool.target_dedicated_nodes")


def _resize_code(error: FailureInfo) -> StallCode:
    if is_quota(error):
        return StallCode.QUOTA
    # Both spellings are seen: AllocationTimedout in the REST page, AllocationTimedOut elsewhere.
    return (
        StallCode.ALLOCATION_TIMEOUT if error.code.lower() == "allocationtimedout" else StallCode.RESIZE_ERROR
    )


def _trouble(node: NodeSnapshot) -> tuple[StallCode, str] | None:
    if node.state is NodeState.START_TASK_FAILED:
        if node.start_task_exit_code is None:
            ended = "the start task failed, its command never ran"
        else:
            ended = f"the start task failed with exit code {node.start_task_exit_code}"
        told = f"{ended} ({told_failure(node.start_task_failure)})" if node.start_task_failure else ended
        denied = access_denied(node.start_task_failure)
        return (StallCode.SAS_EXPIRED if denied else StallCode.START_TASK_FAILED), told
    if node.state is NodeState.UNUSABLE:
        told = "; ".join(told_failure(error) for error in node.errors) or "no reason given"
        return StallCode.NODE_UNUSABLE, f"unusable ({told})"
    if node.state is NodeState.OFFLINE:
        return StallCode.NODE_OFFLINE, "offline (scheduling is disabled)"
    if (booting := _BOOTING.get(node.state)) is not None:
        return StallCode.NODE_NOT_READY, booting
    return None


def _named(nodes: list[str]) -> str:
    if len(nodes) == 1:
        return f"node {nodes[0]}"
    more = ", …" if len(nodes) > _NODES_NAMED else ""
    return f"{len(nodes)} nodes ({', '.join(nodes[:_NODES_NAMED])}{more})"


def _reason(code: StallCode, text: str, remedy: str = "") -> StallReason:
    return StallReason(code=code, text=text, remedy=remedy)
