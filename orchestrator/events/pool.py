"""Events of the pool and its nodes."""

from __future__ import annotations

from orchestrator.events.event import Event
from orchestrator.states import AllocationState, FailureInfo, NodeState, PoolState


class PoolEvent(Event, frozen=True, kw_only=True):
    """Something about the pool or its nodes."""

    pool_id: str


class PoolCreated(PoolEvent, frozen=True, kw_only=True):
    """The pool was asked for; its nodes come later, and cost money from now on."""

    vm_size: str
    image: str
    target_dedicated_nodes: int
    target_low_priority_nodes: int


class PoolReused(PoolEvent, frozen=True, kw_only=True):
    """A pool of that id existed and fits.

    Args:
        application: who brings the application to its nodes: `start task`, `preparation task` or `none`.
        differences: what differs from what was asked for, without making the pool unfit.
    """

    application: str
    differences: tuple[str, ...] = ()


class PoolChanged(PoolEvent, frozen=True, kw_only=True):
    """The pool's state, or the number of nodes it has, is not what it was at the last look."""

    state: PoolState
    allocation_state: AllocationState
    current_nodes: int
    target_nodes: int


class PoolSteady(PoolChanged, frozen=True, kw_only=True):
    """The resize is over: machines were allocated, which does not mean that nodes work."""


class PoolResizeFailed(PoolEvent, frozen=True, kw_only=True):
    """The pool did not get the nodes it asked for."""

    errors: tuple[FailureInfo, ...]


class PoolResizeRetried(PoolEvent, frozen=True, kw_only=True):
    """The nodes that did not come were asked for again.

    Args:
        target_dedicated_nodes: asked for, of the dedicated kind.
        target_low_priority_nodes: asked for, spot nodes.
        attempt: counts from 1.
    """

    target_dedicated_nodes: int
    target_low_priority_nodes: int
    attempt: int


class NodeRebooted(PoolEvent, frozen=True, kw_only=True):
    """A node that was of no use was told to boot again."""

    node_id: str
    reason: str


class NodeRemoved(PoolEvent, frozen=True, kw_only=True):
    """A node that stayed of no use was removed, and another one asked for in its place."""

    node_id: str
    reason: str


class NodeStateChanged(PoolEvent, frozen=True, kw_only=True):
    """A node is in another state than at the last look; `previous` is None for a new one."""

    node_id: str
    previous: NodeState | None
    state: NodeState


class NodeUnusable(NodeStateChanged, frozen=True, kw_only=True):
    """A node can't run tasks; it is billed all the same."""

    errors: tuple[FailureInfo, ...] = ()


class StartTaskFailed(NodeStateChanged, frozen=True, kw_only=True):
    """The start task failed on a node, which gets no tasks but is billed."""

    exit_code: int | None = None
    failure: FailureInfo | None = None
