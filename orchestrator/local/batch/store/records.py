"""The account's resources as they are kept. Instants are ticks; 0 stands for "not yet"."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from orchestrator.local.batch.store.dependencies import DependencyGraph
from orchestrator.local.batch.store.sorted_index import SortedIndex
from orchestrator.local.batch.store.states import (
    ALLOCATION_MOVES,
    JOB_MOVES,
    NODE_MOVES,
    POOL_MOVES,
    TASK_MOVES,
    TRANSIENT_JOB_STATES,
    AllocationState,
    JobState,
    NodeState,
    PoolState,
    TaskState,
    check_move,
)
from orchestrator.local.batch.store.task_counts import TaskCounts
from orchestrator.local.wire.times import UNLIMITED, parse_duration

Spec = Mapping[str, Any]
"""The canonical echo of a request body, in the order of the wire."""


@dataclass(slots=True, eq=False)
class CommandRun:
    """A run of a start, preparation or release task on a node.

    Args:
        started: of the last attempt.
        ended: 0 while it runs.
        exit_code: of the last attempt; None while it runs, or when nothing ran.
        failure: wire form of failureInfo.
        retry_count: attempts after the first.
        last_retry: when the last of them began.
    """

    started: int
    ended: int = 0
    exit_code: int | None = None
    failure: Spec | None = None
    retry_count: int = 0
    last_retry: int = 0

    @property
    def succeeded(self) -> bool:
        """Whether it ended well."""
        return bool(self.ended) and self.failure is None


@dataclass(slots=True, eq=False)
class TaskRecord:
    """A task."""

    id: str
    job_id: str
    sequence: int
    spec: Spec
    slots: int
    created: int
    modified: int
    state_since: int
    state: TaskState = TaskState.ACTIVE
    previous_state: TaskState | None = None
    previous_since: int = 0
    started: int = 0
    ended: int = 0
    exit_code: int | None = None
    failure: Spec | None = None
    retry_count: int = 0
    last_retry: int = 0
    requeue_count: int = 0
    last_requeue: int = 0
    pool_id: str | None = None
    node_id: str | None = None

    @property
    def succeeded(self) -> bool:
        """Whether it is over and went well."""
        return self.state is TaskState.COMPLETED and self.failure is None

    @property
    def busy(self) -> bool:
        """Whether it is on a node."""
        return self.state in (TaskState.PREPARING, TaskState.RUNNING)

    def forget_run(self) -> None:
        """Drop what the last attempt left behind (recorded for reactivation)."""
        self.started = self.ended = 0
        self.exit_code = None
        self.failure = None
        self.pool_id = self.node_id = None


@dataclass(slots=True, eq=False)
class JobRecord:
    """A job and its tasks."""

    id: str
    sequence: int
    spec: Spec
    created: int
    modified: int
    state_since: int
    state: JobState = JobState.ACTIVE
    previous_state: JobState | None = None
    previous_since: int = 0
    started: int = 0
    ended: int = 0
    terminate_reason: str | None = None
    tasks: SortedIndex[TaskRecord] = field(default_factory=SortedIndex)
    counts: TaskCounts = field(default_factory=TaskCounts)
    dependencies: DependencyGraph = field(default_factory=DependencyGraph)
    preparations: dict[tuple[str, str], CommandRun] = field(default_factory=dict)
    """By pool and node."""
    releases: dict[tuple[str, str], CommandRun] = field(default_factory=dict)
    next_sequence: int = 0

    @property
    def pool_id(self) -> str:
        """The pool it runs on, which need not exist."""
        name: str = self.spec["poolInfo"]["poolId"]
        return name

    @property
    def open(self) -> bool:
        """Whether it is neither over nor on its way there."""
        return self.state not in (JobState.TERMINATING, JobState.COMPLETED, JobState.DELETING)

    @property
    def ends_with_its_tasks(self) -> bool:
        """Whether onAllTasksComplete asks for it, and it is active with every task complete."""
        return (
            self.state is JobState.ACTIVE
            and self.spec["onAllTasksComplete"] == "terminatejob"
            and not self.counts.unfinished
        )

    @property
    def deadline(self) -> int | None:
        """When maxWallClockTime is over, which counts from the creation; None for never."""
        limit = parse_duration(self.spec["constraints"]["maxWallClockTime"])
        return None if limit == UNLIMITED else self.created + limit

    def move(self, to: JobState, at: int) -> None:
        """Change the state, remembering the one before unless it was transient (recorded).

        Args:
            to: the new state.
            at: when.

        Raises:
            ImpossibleMoveError: when the table does not list it.
        """
        check_move(JOB_MOVES, self.state, to, f"job {self.id}")
        if self.state not in TRANSIENT_JOB_STATES:
            self.previous_state, self.previous_since = self.state, self.state_since
        self.state, self.state_since = to, at

    def move_task(self, task: TaskRecord, to: TaskState, at: int, *, failure: Spec | None = None) -> None:
        """Change a task's state and the job's counts.

        Args:
            task: of this job.
            to: the new state.
            at: when.
            failure: with which it completes.

        Raises:
            ImpossibleMoveError: when the table does not list it.
        """
        check_move(TASK_MOVES, task.state, to, f"task {self.id}/{task.id}")
        self.counts.remove(task.state, task.slots, succeeded=task.failure is None)
        task.previous_state, task.previous_since = task.state, task.state_since
        task.state, task.state_since, task.failure = to, at, failure
        self.counts.add(to, task.slots, succeeded=failure is None)


@dataclass(slots=True, eq=False)
class NodeRecord:
    """A compute node."""

    id: str
    pool_id: str
    dedicated: bool
    address: str
    slots: int
    allocated: int
    state_since: int
    state: NodeState = NodeState.CREATING
    scheduling: bool = True
    booted: int = 0
    total_tasks: int = 0
    succeeded_tasks: int = 0
    start_task: Spec | None = None
    start_run: CommandRun | None = None
    recent: list[TaskRecord] = field(default_factory=list)

    def move(self, to: NodeState, at: int) -> None:
        """Change the state.

        Args:
            to: the new state.
            at: when.

        Raises:
            ImpossibleMoveError: when the table does not list it.
        """
        check_move(NODE_MOVES, self.state, to, f"node {self.id}")
        self.state, self.state_since = to, at


@dataclass(slots=True, eq=False)
class PoolRecord:
    """A pool and its nodes."""

    id: str
    spec: Spec
    created: int
    modified: int
    state_since: int
    allocation_since: int
    state: PoolState = PoolState.ACTIVE
    allocation: AllocationState = AllocationState.RESIZING
    resize_errors: list[Spec] = field(default_factory=list)
    nodes: SortedIndex[NodeRecord] = field(default_factory=SortedIndex)
    next_address: int = 4

    def count(self, *, dedicated: bool) -> int:
        """Count the nodes of a kind.

        Args:
            dedicated: or low priority.
        """
        return sum(node.dedicated is dedicated for node in self.nodes)

    def move(self, to: PoolState, at: int) -> None:
        """Change the state.

        Args:
            to: the new state.
            at: when.

        Raises:
            ImpossibleMoveError: when the table does not list it.
        """
        check_move(POOL_MOVES, self.state, to, f"pool {self.id}")
        self.state, self.state_since = to, at

    def allocate(self, to: AllocationState, at: int) -> None:
        """Change the allocation state.

        Args:
            to: the new state.
            at: when.

        Raises:
            ImpossibleMoveError: when the table does not list it.
        """
        check_move(ALLOCATION_MOVES, self.allocation, to, f"allocation of pool {self.id}")
        self.allocation, self.allocation_since = to, at
