"""The account's resources as they are kept. Instants are ticks; 0 stands for "not yet"."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from msgspec import field

from orchestrator.local.batch.store.changes import JobChanges, Notes, ResourceKey, TaskKey, Tracked
from orchestrator.local.batch.store.dependencies import DependencyGraph
from orchestrator.local.batch.store.outcomes import Ending
from orchestrator.local.batch.store.sorted_index import SortedIndex, key_of
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
from orchestrator.local.batch.store.task_index import TaskIndex
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


class TaskRecord(Tracked, eq=False):
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
    ending: Ending | None = None
    """Why the attempt that goes on was told to stop."""

    @property
    def key(self) -> TaskKey:
        """Where it is kept."""
        return TaskKey(self.job_id.lower(), self.sequence)

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


class JobRecord(Tracked, eq=False):
    """A job and its tasks."""

    live: ClassVar[frozenset[str]] = frozenset(
        {"task_changes", "tasks", "index", "counts", "dependencies", "sequences"}
    )

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
    auto_pool_id: str | None = None
    """The pool that it brought along, or its schedule did."""
    preparations: dict[tuple[str, str], CommandRun] = field(default_factory=dict)
    """By pool and node; `touch` the job when one changes."""
    releases: dict[tuple[str, str], CommandRun] = field(default_factory=dict)
    tasks: SortedIndex[TaskRecord] = field(default_factory=SortedIndex)
    index: TaskIndex = field(default_factory=TaskIndex)
    """Of its tasks."""
    counts: TaskCounts = field(default_factory=TaskCounts)
    dependencies: DependencyGraph = field(default_factory=DependencyGraph)
    sequences: Iterator[int] = field(default_factory=itertools.count)
    """Numbers for its tasks."""
    task_changes: JobChanges | None = None
    """Where its tasks note themselves."""

    @property
    def key(self) -> ResourceKey:
        """Where it is kept."""
        return ResourceKey("job", self.id.lower())

    @property
    def pool_id(self) -> str:
        """The pool it runs on, which need not exist."""
        name: str = self.auto_pool_id or self.spec["poolInfo"]["poolId"]
        return name

    def kills_with(self, task: TaskRecord) -> bool:
        """Tell whether the end of a task is the end of the job: it is its manager, and asks for it.

        Args:
            task: of this job.
        """
        manager = self.spec.get("jobManagerTask")
        return bool(manager and manager["killJobOnCompletion"] and manager["id"].lower() == task.id.lower())

    def wants_whole_node(self, task: TaskRecord) -> bool:
        """Tell whether a task shares its node with no other: it is the manager, and runs exclusively.

        Args:
            task: of this job.
        """
        manager = self.spec.get("jobManagerTask")
        return bool(manager and manager["runExclusive"] and manager["id"].lower() == task.id.lower())

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

    def add_task(self, task: TaskRecord) -> None:
        """Take a task in, whether new or known from before.

        Args:
            task: whose id is free.
        """
        self.tasks.add(task.id, task)
        self.index.add(key_of(task.id), task.state, task.state_since)
        self.counts.add(task.state, task.slots, succeeded=task.failure is None)
        if "dependsOn" in task.spec and task.state is not TaskState.COMPLETED:
            self.dependencies.add(task.id, task.spec["dependsOn"])

    def remove_task(self, task: TaskRecord) -> None:
        """Take a task out.

        Args:
            task: of this job.
        """
        self.tasks.pop(task.id)
        self.index.remove(task.id.lower(), task.state, task.state_since)
        self.counts.remove(task.state, task.slots, succeeded=task.failure is None)
        self.dependencies.discard(task.id)
        if self.task_changes is not None:
            self.task_changes.remove(task)

    def satisfy(self, task_id: str) -> list[str]:
        """Note that a task's dependents need not wait for it any more.

        Args:
            task_id: in any case.

        Returns:
            Lower-cased ids of tasks that now wait for nothing.
        """
        if self.spec["usesTaskDependencies"] and self.task_changes is not None:
            self.task_changes.satisfy(self.id.lower(), task_id.lower())
        return self.dependencies.satisfy(task_id)

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
        key = key_of(task.id)
        self.counts.remove(task.state, task.slots, succeeded=task.failure is None)
        self.index.remove(key, task.state, task.state_since)
        task.previous_state, task.previous_since = task.state, task.state_since
        task.state, task.state_since, task.failure = to, at, failure
        self.counts.add(to, task.slots, succeeded=failure is None)
        self.index.add(key, to, at)


class NodeRecord(Tracked, eq=False):
    """A compute node."""

    live: ClassVar[frozenset[str]] = frozenset({"start_task", "start_run", "recent"})

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
    doomed: bool = False
    """Whether a removal was asked for that may not have begun."""

    @property
    def key(self) -> ResourceKey:
        """Where it is kept."""
        return ResourceKey("node", f"{self.pool_id}/{self.id}".lower())

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


class PoolRecord(Tracked, eq=False):
    """A pool and its nodes."""

    live: ClassVar[frozenset[str]] = frozenset({"nodes"})

    id: str
    spec: Spec
    created: int
    modified: int
    state_since: int
    allocation_since: int
    state: PoolState = PoolState.ACTIVE
    allocation: AllocationState = AllocationState.RESIZING
    resize_errors: list[Spec] = field(default_factory=list)
    auto_scale_run: Spec | None = None
    nodes: SortedIndex[NodeRecord] = field(default_factory=SortedIndex)
    next_address: int = 4

    @property
    def key(self) -> ResourceKey:
        """Where it is kept."""
        return ResourceKey("pool", self.id.lower())

    def add_node(self, node: NodeRecord) -> None:
        """Take a new node in.

        Args:
            node: whose id is free.
        """
        self.nodes.add(node.id, node)
        if self.notes is not None:
            notes: Notes = self.notes
            node.attach(notes)
            node.touch()

    def remove_node(self, node: NodeRecord) -> None:
        """Take a node out, if it is there.

        Args:
            node: of this pool.
        """
        if node.id in self.nodes:
            self.nodes.pop(node.id)
            if node.notes is not None:
                node.notes.remove(node)

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
