"""Which waiting task goes to which node: decided here, carried out elsewhere.

Sources of facts: the product pages "Parallel node tasks" and "Jobs and tasks". Jobs by priority, then in
order of creation; inside a job first in, first out among the tasks that fit; a task that needs more slots
than are free lets narrower ones pass. `spread` takes the node with the most free slots, `pack` the one with
the fewest.

Nothing here looks at every task: a queue keeps its tasks by the slots they need, a pool its nodes by the
slots they have free.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

_UNLIMITED: Final = -1


class Fill(Enum):
    """How a pool's nodes are filled."""

    SPREAD = "Spread"
    PACK = "Pack"


@dataclass(frozen=True, slots=True)
class Placement:
    """A decision.

    Args:
        job: key of the job.
        task: key of the task.
        node: key of the node.
        slots: that it takes there.
    """

    job: str
    task: str
    node: str
    slots: int


@dataclass(slots=True)
class _Waiting:
    sequence: int
    slots: int
    node: str | None


class ReadyQueue:
    """Tasks of one job that wait for nothing but slots, in order of their sequence numbers."""

    __slots__ = ("_by_slots", "_waiting")

    def __init__(self) -> None:
        self._waiting: dict[str, _Waiting] = {}
        self._by_slots: dict[int, list[tuple[int, str]]] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    def __contains__(self, task: str) -> bool:
        return task in self._waiting

    def push(self, task: str, *, sequence: int, slots: int, node: str | None = None) -> None:
        """Put a task in; a task that comes back keeps its place by its sequence number.

        Args:
            task: key.
            sequence: of its creation.
            slots: that it needs.
            node: where it would like to run.
        """
        if task in self._waiting:
            return
        self._waiting[task] = _Waiting(sequence, slots, node)
        heapq.heappush(self._by_slots.setdefault(slots, []), (sequence, task))

    def discard(self, task: str) -> None:
        """Take a task out, if it is there.

        Args:
            task: key.
        """
        # Its entry in the heap stays, and is passed over when it comes up.
        self._waiting.pop(task, None)

    def first_fitting(self, free: int) -> tuple[str, int, str | None] | None:
        """Look for the oldest task that fits.

        Args:
            free: slots.

        Returns:
            Its key, its slots and the node that it would like, or None.
        """
        best: tuple[int, str] | None = None
        for slots, heap in self._by_slots.items():
            if slots > free:
                continue
            while heap and not self._valid(*heap[0]):
                heapq.heappop(heap)
            if heap and (best is None or heap[0] < best):
                best = heap[0]
        if best is None:
            return None
        waiting = self._waiting[best[1]]
        return best[1], waiting.slots, waiting.node

    def _valid(self, sequence: int, task: str) -> bool:
        waiting = self._waiting.get(task)
        return waiting is not None and waiting.sequence == sequence


@dataclass(slots=True)
class JobQueue:
    """A job as the scheduler sees it.

    Args:
        key: of the job.
        sequence: of its creation.
        priority: higher goes first.
        most_parallel: tasks that may run at once; -1 for any number.
        running: tasks on nodes now.
        open: whether its tasks may start.
        ready: its waiting tasks.
        barred: nodes that are not for this job, since its preparation failed there.
    """

    key: str
    sequence: int
    priority: int = 0
    most_parallel: int = _UNLIMITED
    running: int = 0
    open: bool = True
    ready: ReadyQueue = field(default_factory=ReadyQueue)
    barred: set[str] = field(default_factory=set)

    @property
    def wants(self) -> bool:
        """Whether it has something to place."""
        may = self.most_parallel < 0 or self.running < self.most_parallel
        return self.open and may and len(self.ready) > 0


class PoolSlots:
    """Free slots of a pool's nodes."""

    __slots__ = ("_by_free", "_free", "_open", "fill")

    def __init__(self, fill: Fill) -> None:
        self.fill = fill
        self._free: dict[str, int] = {}
        self._open: set[str] = set()
        self._by_free: dict[int, dict[str, None]] = {}

    def add(self, node: str, slots: int) -> None:
        """Take a node in, closed.

        Args:
            node: key.
            slots: that it has.
        """
        self._free[node] = slots

    def remove(self, node: str) -> None:
        """Forget a node.

        Args:
            node: key.
        """
        self.close(node)
        self._free.pop(node, None)

    def open(self, node: str) -> None:
        """Let tasks go to a node.

        Args:
            node: key.
        """
        if node in self._free and node not in self._open:
            self._open.add(node)
            self._by_free.setdefault(self._free[node], {})[node] = None

    def close(self, node: str) -> None:
        """Let no more tasks go to a node.

        Args:
            node: key.
        """
        if node in self._open:
            self._open.discard(node)
            del self._by_free[self._free[node]][node]

    def take(self, node: str, slots: int) -> None:
        """Use slots of a node.

        Args:
            node: key.
            slots: to use.
        """
        self._change(node, -slots)

    def release(self, node: str, slots: int) -> None:
        """Give slots back, if the node is still there.

        Args:
            node: key.
            slots: that were used.
        """
        if node in self._free:
            self._change(node, slots)

    def most_free(self, barred: set[str]) -> int:
        """Tell how many slots the emptiest open node has.

        Args:
            barred: nodes that don't count.
        """
        return max(
            (free for free, nodes in self._by_free.items() if nodes and not nodes.keys() <= barred),
            default=0,
        )

    def choose(self, slots: int, *, wish: str | None, barred: set[str]) -> str | None:
        """Choose a node.

        Args:
            slots: that must be free.
            wish: the node to take if it can be.
            barred: nodes that may not be chosen.

        Returns:
            Its key, or None.
        """
        if wish is not None and wish in self._open and wish not in barred and self._free[wish] >= slots:
            return wish
        fitting = (free for free, nodes in self._by_free.items() if nodes and free >= slots)
        for free in sorted(fitting, reverse=self.fill is Fill.SPREAD):
            for node in self._by_free[free]:
                if node not in barred:
                    return node
        return None

    def _change(self, node: str, slots: int) -> None:
        was_open = node in self._open
        self.close(node)
        self._free[node] += slots
        if was_open:
            self.open(node)


def assign(queues: Iterable[JobQueue], slots: PoolSlots) -> list[Placement]:
    """Place what can be placed.

    The queues and the slots are changed as if the placements were carried out already.

    Args:
        queues: of the jobs that run on the pool.
        slots: of the pool.

    Returns:
        The placements, in the order of their urgency.
    """
    placements: list[Placement] = []
    for queue in sorted((one for one in queues if one.wants), key=lambda one: (-one.priority, one.sequence)):
        while queue.wants:
            free = slots.most_free(queue.barred)
            found = queue.ready.first_fitting(free) if free else None
            if found is None:
                break
            task, needed, wish = found
            node = slots.choose(needed, wish=wish, barred=queue.barred)
            if node is None:
                break
            queue.ready.discard(task)
            queue.running += 1
            slots.take(node, needed)
            placements.append(Placement(queue.key, task, node, needed))
    return placements
