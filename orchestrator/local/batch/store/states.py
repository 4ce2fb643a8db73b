"""States, and the moves between them.

Sources of facts: recorded; the REST pages of each resource for moves that no recording shows. A move that
is not in its table is a bug of this service, and raises.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final, Protocol, TypeVar

_S = TypeVar("_S", bound=StrEnum)


class PoolState(StrEnum):
    """Of a pool."""

    ACTIVE = "active"
    DELETING = "deleting"


class AllocationState(StrEnum):
    """Of a pool's nodes as a whole."""

    STEADY = "steady"
    RESIZING = "resizing"
    STOPPING = "stopping"


class NodeState(StrEnum):
    """Of a node."""

    CREATING = "creating"
    STARTING = "starting"
    WAITING_FOR_START_TASK = "waitingforstarttask"
    START_TASK_FAILED = "starttaskfailed"
    IDLE = "idle"
    RUNNING = "running"
    OFFLINE = "offline"
    REBOOTING = "rebooting"
    REIMAGING = "reimaging"
    DEALLOCATING = "deallocating"
    DEALLOCATED = "deallocated"
    UNUSABLE = "unusable"
    PREEMPTED = "preempted"
    LEAVING_POOL = "leavingpool"


class JobState(StrEnum):
    """Of a job."""

    ACTIVE = "active"
    DISABLING = "disabling"
    DISABLED = "disabled"
    ENABLING = "enabling"
    TERMINATING = "terminating"
    COMPLETED = "completed"
    DELETING = "deleting"


class TaskState(StrEnum):
    """Of a task."""

    ACTIVE = "active"
    PREPARING = "preparing"
    RUNNING = "running"
    COMPLETED = "completed"


POOL_MOVES: Final[Mapping[PoolState, frozenset[PoolState]]] = {
    PoolState.ACTIVE: frozenset({PoolState.DELETING}),
    PoolState.DELETING: frozenset(),
}

ALLOCATION_MOVES: Final[Mapping[AllocationState, frozenset[AllocationState]]] = {
    AllocationState.STEADY: frozenset({AllocationState.RESIZING}),
    AllocationState.RESIZING: frozenset({AllocationState.STEADY, AllocationState.STOPPING}),
    AllocationState.STOPPING: frozenset({AllocationState.STEADY}),
}

_GONE: Final = frozenset({NodeState.LEAVING_POOL, NodeState.UNUSABLE, NodeState.PREEMPTED})
_RESTARTED: Final = _GONE | {NodeState.REBOOTING, NodeState.REIMAGING, NodeState.DEALLOCATING}

NODE_MOVES: Final[Mapping[NodeState, frozenset[NodeState]]] = {
    NodeState.CREATING: _GONE | {NodeState.STARTING},
    NodeState.STARTING: _GONE | {NodeState.WAITING_FOR_START_TASK, NodeState.IDLE, NodeState.OFFLINE},
    NodeState.WAITING_FOR_START_TASK: _GONE
    | {NodeState.IDLE, NodeState.OFFLINE, NodeState.START_TASK_FAILED},
    NodeState.START_TASK_FAILED: _RESTARTED,
    NodeState.IDLE: _RESTARTED | {NodeState.RUNNING, NodeState.OFFLINE},
    NodeState.RUNNING: _RESTARTED | {NodeState.IDLE, NodeState.OFFLINE},
    NodeState.OFFLINE: _RESTARTED | {NodeState.IDLE, NodeState.RUNNING},
    NodeState.REBOOTING: _GONE | {NodeState.STARTING},
    NodeState.REIMAGING: _GONE | {NodeState.STARTING},
    NodeState.DEALLOCATING: _GONE | {NodeState.DEALLOCATED},
    NodeState.DEALLOCATED: _GONE | {NodeState.STARTING},
    NodeState.UNUSABLE: frozenset(
        {NodeState.REBOOTING, NodeState.REIMAGING, NodeState.DEALLOCATING, NodeState.LEAVING_POOL}
    ),
    NodeState.PREEMPTED: frozenset({NodeState.CREATING, NodeState.LEAVING_POOL}),
    NodeState.LEAVING_POOL: frozenset(),
}

JOB_MOVES: Final[Mapping[JobState, frozenset[JobState]]] = {
    JobState.ACTIVE: frozenset({JobState.DISABLING, JobState.TERMINATING, JobState.DELETING}),
    JobState.DISABLING: frozenset({JobState.DISABLED, JobState.TERMINATING, JobState.DELETING}),
    JobState.DISABLED: frozenset(
        {JobState.DISABLING, JobState.ENABLING, JobState.TERMINATING, JobState.DELETING}
    ),
    JobState.ENABLING: frozenset({JobState.ACTIVE, JobState.TERMINATING, JobState.DELETING}),
    JobState.TERMINATING: frozenset({JobState.COMPLETED, JobState.DELETING}),
    JobState.COMPLETED: frozenset({JobState.DELETING}),
    JobState.DELETING: frozenset(),
}
TRANSIENT_JOB_STATES: Final = frozenset({JobState.DISABLING, JobState.ENABLING, JobState.TERMINATING})
"""Never told as a previousState (recorded)."""

TASK_MOVES: Final[Mapping[TaskState, frozenset[TaskState]]] = {
    TaskState.ACTIVE: frozenset({TaskState.PREPARING, TaskState.RUNNING, TaskState.COMPLETED}),
    TaskState.PREPARING: frozenset({TaskState.RUNNING, TaskState.ACTIVE, TaskState.COMPLETED}),
    TaskState.RUNNING: frozenset({TaskState.ACTIVE, TaskState.COMPLETED}),
    TaskState.COMPLETED: frozenset({TaskState.ACTIVE}),
}


class ImpossibleMoveError(RuntimeError):
    """A resource was moved to a state that its table does not allow.

    Args:
        what: the resource, for people.
        state: where it was.
        to: where it was to go.
    """

    def __init__(self, what: str, state: str, to: str) -> None:
        super().__init__(f"{what} is {state} and can't become {to}")
        self.state = state
        self.to = to


class Remembering(Protocol):
    """Something that tells its previous state."""

    state_since: int
    previous_state: str | None
    previous_since: int


def check_move(table: Mapping[_S, frozenset[_S]], state: _S, to: _S, what: str) -> None:
    """Refuse a move that is not listed.

    Args:
        table: of the resource.
        state: where it is.
        to: where it is to go.
        what: the resource, for people.

    Raises:
        ImpossibleMoveError: when the table does not list it.
    """
    if to not in table[state]:
        raise ImpossibleMoveError(what, state, to)
