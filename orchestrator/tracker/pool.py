"""A pool and its nodes: what changed, and why nothing may be moving."""

from __future__ import annotations

from collections.abc import Sequence

from orchestrator.errors import StartTaskError
from orchestrator.events import (
    NodeStateChanged,
    NodeUnusable,
    PoolChanged,
    PoolEvent,
    PoolResizeFailed,
    PoolSteady,
    StartTaskFailed,
)
from orchestrator.states import (
    AllocationState,
    FailureInfo,
    NodeSnapshot,
    NodeState,
    PoolSnapshot,
    PoolState,
)

_WORKING = (NodeState.IDLE, NodeState.RUNNING)
_NODES_NAMED = 3

_TROUBLES = {
    NodeState.CREATING: "being created",
    NodeState.STARTING: "starting",
    NodeState.WAITING_FOR_START_TASK: "waiting for the start task",
    NodeState.REBOOTING: "rebooting",
    NodeState.REIMAGING: "being reimaged",
    NodeState.UPGRADING_OS: "upgrading the system",
    NodeState.OFFLINE: "offline (scheduling is disabled)",
    NodeState.PREEMPTED: "preempted",
    NodeState.LEAVING_POOL: "leaving the pool",
    NodeState.DEALLOCATING: "being deallocated",
    NodeState.DEALLOCATED: "deallocated",
    NodeState.UNKNOWN: "not answering the service",
}


class PoolTracker:
    """Turns looks at one pool and its nodes into events.

    Args:
        run_id: for the events.
        pool_id: which pool it is.
    """

    def __init__(self, run_id: str, pool_id: str) -> None:
        self._run_id = run_id
        self._pool_id = pool_id
        self._pool: PoolSnapshot | None = None
        self._missing = False
        self._resize_errors: tuple[FailureInfo, ...] = ()
        self._nodes: dict[str, NodeSnapshot] | None = None

    def observe_missing(self) -> None:
        """The service says that there is no such pool; `reasons` tells."""
        self._missing = True

    def observe_pool(self, snapshot: PoolSnapshot) -> tuple[PoolEvent, ...]:
        """What this look at the pool tells.

        Args:
            snapshot: the pool as the service describes it now.

        Returns:
            `PoolSteady` when it is steady and was not (or was never looked at), `PoolChanged` for another
            change, and `PoolResizeFailed` when errors of a resize are new.
        """
        self._missing = False
        previous, self._pool = self._pool, snapshot
        events: list[PoolEvent] = []
        if previous is None or _counted(previous) != _counted(snapshot):
            steady = snapshot.allocation_state is AllocationState.STEADY
            became_steady = steady and (
                previous is None or previous.allocation_state is not AllocationState.STEADY
            )
            kind = PoolSteady if became_steady else PoolChanged
            state, allocation_state, current, target = _counted(snapshot)
            events.append(
                kind(
                    run_id=self._run_id,
                    pool_id=self._pool_id,
                    state=state,
                    allocation_state=allocation_state,
                    current_nodes=current,
                    target_nodes=target,
                )
            )
        if snapshot.resize_errors and snapshot.resize_errors != self._resize_errors:
            events.append(
                PoolResizeFailed(run_id=self._run_id, pool_id=self._pool_id, errors=snapshot.resize_errors)
            )
        self._resize_errors = snapshot.resize_errors
        return tuple(events)

    def observe_nodes(self, snapshots: Sequence[NodeSnapshot]) -> tuple[NodeStateChanged, ...]:
        """What this look at all nodes of the pool tells.

        Args:
            snapshots: every node that the service lists now.

        Returns:
            One event for each node that is new or in another state. A node that is no longer listed is told
            as `leavingpool`, unless that was its last state already.
        """
        before = self._nodes or {}
        self._nodes = {snapshot.id: snapshot for snapshot in snapshots}
        events = [
            self._node_event(snapshot, before.get(snapshot.id))
            for snapshot in snapshots
            if snapshot.id not in before or before[snapshot.id].state is not snapshot.state
        ]
        events.extend(
            NodeStateChanged(
                run_id=self._run_id,
                pool_id=self._pool_id,
                node_id=gone.id,
                previous=gone.state,
                state=NodeState.LEAVING_POOL,
            )
            for gone in before.values()
            if gone.id not in self._nodes and gone.state is not NodeState.LEAVING_POOL
        )
        return tuple(events)

    def hopeless(self) -> StartTaskError | None:
        """Why no node of the pool will ever run a task, None as long as one may.

        That is so where the pool has all the nodes it will get, and the start task failed for good on each.
        """
        pool, nodes = self._pool, list((self._nodes or {}).values())
        if pool is None or pool.allocation_state is not AllocationState.STEADY or not nodes:
            return None
        _, _, current, target = _counted(pool)
        if current < target and not pool.resize_errors:
            return None
        if bool(pool.body.get("enableAutoScale")) or len(nodes) < current:
            return None
        if any(node.state is not NodeState.START_TASK_FAILED for node in nodes):
            return None
        first = nodes[0]
        return StartTaskError(
            f"{'; '.join(self._node_reasons(pool))}; its output is in startup/stderr.txt on the node",
            pool_id=pool.id,
            node_id=first.id,
            failure=first.start_task_failure,
        )

    def reasons(self) -> tuple[str, ...]:
        """Why tasks may not be moving, as sentences, about the pool first; none if nothing is wrong."""
        if self._missing:
            return (f"pool {self._pool_id} does not exist",)
        if self._pool is None:
            return (f"nothing is known of pool {self._pool_id}: the service has not described it yet",)
        return (*self._pool_reasons(self._pool), *self._node_reasons(self._pool))

    def _pool_reasons(self, pool: PoolSnapshot) -> list[str]:
        reasons = []
        _, _, current, target = _counted(pool)
        if pool.state is PoolState.DELETING:
            reasons.append(f"pool {pool.id} is being deleted")
        if pool.allocation_state is AllocationState.RESIZING:
            reasons.append(f"pool {pool.id} is resizing: it has {current} of {target} nodes")
        if pool.allocation_state is AllocationState.STOPPING:
            reasons.append(f"the resize of pool {pool.id} is being stopped at {current} of {target} nodes")
        reasons.extend(
            f"pool {pool.id} did not get its nodes: {_told(error)}" for error in pool.resize_errors
        )
        if target == 0 and current == 0:
            reasons.append(f"pool {pool.id} has no nodes and wants none: its targets are 0")
        return reasons

    def _node_reasons(self, pool: PoolSnapshot) -> list[str]:
        if self._nodes is None:
            return []
        _, _, current, target = _counted(pool)
        if not self._nodes:
            none_yet = current or target
            return [f"pool {pool.id} has no nodes yet"] if none_yet else []
        # A pool may have a thousand nodes with one and the same trouble, which is one sentence.
        troubles: dict[str, list[str]] = {}
        for node in self._nodes.values():
            if (trouble := _trouble(node)) is not None:
                troubles.setdefault(trouble, []).append(node.id)
        reasons = [f"{_named(nodes)}: {trouble}" for trouble, nodes in troubles.items()]
        if not any(node.state in _WORKING for node in self._nodes.values()):
            reasons.insert(0, f"none of the {len(self._nodes)} nodes of pool {pool.id} can run tasks")
        return reasons

    def _node_event(self, snapshot: NodeSnapshot, before: NodeSnapshot | None) -> NodeStateChanged:
        previous = None if before is None else before.state
        if snapshot.state is NodeState.START_TASK_FAILED:
            return StartTaskFailed(
                run_id=self._run_id,
                pool_id=self._pool_id,
                node_id=snapshot.id,
                previous=previous,
                state=snapshot.state,
                exit_code=snapshot.start_task_exit_code,
                failure=snapshot.start_task_failure,
            )
        if snapshot.state is NodeState.UNUSABLE:
            return NodeUnusable(
                run_id=self._run_id,
                pool_id=self._pool_id,
                node_id=snapshot.id,
                previous=previous,
                state=snapshot.state,
                errors=snapshot.errors,
            )
        return NodeStateChanged(
            run_id=self._run_id,
            pool_id=self._pool_id,
            node_id=snapshot.id,
            previous=previous,
            state=snapshot.state,
        )


def _counted(pool: PoolSnapshot) -> tuple[PoolState, AllocationState, int, int]:
    return (
        pool.state,
        pool.allocation_state,
        pool.current_dedicated_nodes + pool.current_low_priority_nodes,
        pool.target_dedicated_nodes + pool.target_low_priority_nodes,
    )


def _told(failure: FailureInfo) -> str:
    details = "".join(f" ({name}: {value})" for name, value in failure.details)
    return f"{failure.code}: {failure.message}{details}" if failure.message else f"{failure.code}{details}"


def _trouble(node: NodeSnapshot) -> str | None:
    if node.state is NodeState.START_TASK_FAILED:
        if node.start_task_exit_code is None:
            ended = "the start task failed, its command never ran"
        else:
            ended = f"the start task failed with exit code {node.start_task_exit_code}"
        return f"{ended} ({_told(node.start_task_failure)})" if node.start_task_failure else ended
    if node.state is NodeState.UNUSABLE:
        told = "; ".join(_told(error) for error in node.errors) or "no reason given"
        return f"unusable ({told})"
    return _TROUBLES.get(node.state)


def _named(nodes: list[str]) -> str:
    if len(nodes) == 1:
        return f"node {nodes[0]}"
    more = ", …" if len(nodes) > _NODES_NAMED else ""
    return f"{len(nodes)} nodes ({', '.join(nodes[:_NODES_NAMED])}{more})"
