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
    StallCode,
    StallReason,
)
from orchestrator.tracker.pool_trouble import node_reasons, pool_reasons, scales_itself


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
        if scales_itself(pool) or len(nodes) < current:
            return None
        if any(node.state is not NodeState.START_TASK_FAILED for node in nodes):
            return None
        first = nodes[0]
        told = "; ".join(reason.text for reason in node_reasons(pool, nodes))
        return StartTaskError(
            f"{told}; its output is in startup/stderr.txt on the node",
            pool_id=pool.id,
            node_id=first.id,
            failure=first.start_task_failure,
        )

    @property
    def pool(self) -> PoolSnapshot | None:
        """The pool at the last look; None before the first, and when there is none (any more)."""
        return None if self._missing else self._pool

    @property
    def nodes(self) -> tuple[NodeSnapshot, ...]:
        """The nodes at the last look."""
        return tuple((self._nodes or {}).values())

    def stall_reasons(self) -> tuple[StallReason, ...]:
        """Why tasks may not be moving, about the pool first; none if nothing is wrong with pool and nodes."""
        if self._missing:
            told = f"pool {self._pool_id} does not exist"
            remedy = "create the pool, or give its settings in the job file, and run the job again"
            return (StallReason(code=StallCode.POOL_MISSING, text=told, remedy=remedy),)
        if self._pool is None:
            told = f"nothing is known of pool {self._pool_id}: the service has not described it yet"
            return (StallReason(code=StallCode.POOL_UNKNOWN, text=told),)
        nodes = () if self._nodes is None else node_reasons(self._pool, self.nodes)
        return (*pool_reasons(self._pool), *nodes)

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
