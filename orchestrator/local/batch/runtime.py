"""What the account keeps about its records while they live: node processes, attempts, queues."""

from __future__ import annotations

from dataclasses import dataclass, field

import anyio

from orchestrator.local.batch.execution import Node
from orchestrator.local.batch.scheduler import JobQueue, PoolSlots
from orchestrator.local.batch.store.outcomes import Ending
from orchestrator.local.batch.store.records import JobRecord, NodeRecord, PoolRecord, TaskRecord


@dataclass(slots=True, eq=False)
class Signal:
    """Something to wait on that can be told again and again. Costs nothing while nobody waits."""

    _event: anyio.Event | None = None

    def tell(self) -> None:
        """Wake whoever waits now."""
        event, self._event = self._event, None
        if event is not None:
            event.set()

    async def wait(self) -> None:
        """Wait for the next tell."""
        if self._event is None:
            self._event = anyio.Event()
        await self._event.wait()


@dataclass(slots=True, eq=False)
class Latch:
    """An event that happens once. Costs nothing while nobody waits."""

    _over: bool = False
    _signal: Signal = field(default_factory=Signal)

    def set(self) -> None:
        """Let it happen."""
        self._over = True
        self._signal.tell()

    def is_set(self) -> bool:
        """Tell whether it has happened."""
        return self._over

    async def wait(self) -> None:
        """Wait until it has happened."""
        if not self._over:
            await self._signal.wait()


@dataclass(slots=True, eq=False)
class Attempt:
    """A task on a node.

    Args:
        execution_id: on the node.
        job: of the task.
        task: that runs.
        machine: that it runs on.
        slots: that it takes.
        ending: why it was told to stop, if it was.
        executing: whether the node has it; before that its job's preparation runs.
        settled: whether its result has been taken.
    """

    execution_id: str
    job: JobRuntime
    task: TaskRecord
    machine: Machine
    slots: int
    ending: Ending | None = None
    executing: bool = False
    settled: Latch = field(default_factory=Latch)


@dataclass(slots=True, eq=False)
class Machine:
    """A node's record and its process.

    Args:
        record: of the store.
        pool: that it is in.
        node: its process; None while it has none.
        attempts: tasks on it, by execution id.
        commands: running start, preparation and release tasks: execution id to the job's key, "" for none.
        leaving: set once the node is to go away or boot again.
        boot_over: set while no boot goes on.
        changed: told when an attempt ends.
    """

    record: NodeRecord
    pool: PoolRuntime
    node: Node | None = None
    attempts: dict[str, Attempt] = field(default_factory=dict)
    commands: dict[str, str] = field(default_factory=dict)
    leaving: anyio.Event = field(default_factory=anyio.Event)
    boot_over: anyio.Event = field(default_factory=anyio.Event)
    changed: Signal = field(default_factory=Signal)

    @property
    def key(self) -> str:
        """Of the node in its pool."""
        return self.record.id

    @property
    def running(self) -> dict[str, int]:
        """Number of tasks and slots in use."""
        return {
            "tasks": len(self.attempts),
            "slots": sum(attempt.slots for attempt in self.attempts.values()),
        }


@dataclass(slots=True, eq=False)
class PoolRuntime:
    """A pool's record and its machines.

    Args:
        record: of the store.
        slots: free ones.
        machines: by node id.
        resize: scope of the resize that goes on.
    """

    record: PoolRecord
    slots: PoolSlots
    machines: dict[str, Machine] = field(default_factory=dict)
    resize: anyio.CancelScope | None = None

    @property
    def key(self) -> str:
        """Of the pool."""
        return self.record.id.lower()


@dataclass(slots=True, eq=False)
class JobRuntime:
    """A job's record and what runs of it.

    Args:
        record: of the store.
        queue: as the scheduler sees it.
        attempts: by the task's key.
        preparing: preparation tasks that run now, by machine.
        released: whether release tasks ran or will not run any more.
        ending: whether its end is being carried out.
        deadline: scope of the wait for its wall clock.
        changed: told when an attempt or a preparation ends.
        expiring: keys of tasks whose files go, by the second.
    """

    record: JobRecord
    queue: JobQueue
    attempts: dict[str, Attempt] = field(default_factory=dict)
    preparing: dict[str, anyio.Event] = field(default_factory=dict)
    released: bool = False
    ending: bool = False
    deadline: anyio.CancelScope | None = None
    changed: Signal = field(default_factory=Signal)
    expiring: dict[int, list[str]] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """Of the job."""
        return self.record.id.lower()

    async def wait_until_quiet(self) -> None:
        """Wait until nothing of it runs."""
        while self.attempts or self.preparing:
            await self.changed.wait()
