"""Removes tasks' folders when their `retentionTime` is over, counted from the end of the task.

Source of facts: the REST page "Add a task to a job". The real service may take longer; nobody may rely on
what is still there.
"""

from __future__ import annotations

import heapq
from collections.abc import Mapping
from functools import lru_cache
from typing import Final

import anyio

from orchestrator.local.batch.background import Background
from orchestrator.local.batch.leftovers import remove_folder
from orchestrator.local.batch.runtime import JobRuntime, Machine, PoolRuntime, Signal
from orchestrator.local.batch.simulated_node import SimulatedNode
from orchestrator.local.batch.store.records import TaskRecord
from orchestrator.local.batch.store.sorted_index import key_of
from orchestrator.local.batch.store.states import TaskState
from orchestrator.local.batch.store.views import task_directory
from orchestrator.local.wire import times

_BOOT_LIMIT: Final = 5.0
"""Seconds that a folder waits for its node to boot."""

_LATER: Final = 60
"""Seconds until a folder is looked at again whose node has no process now."""

_spans: Final = lru_cache(1024)(times.parse_duration)
"""Many tasks, few spans."""


def kept_until(task: TaskRecord) -> int | None:
    """Tell until when a task's files are kept.

    Args:
        task: any.

    Returns:
        An instant; None for ever, or while it has not ended.
    """
    span = _spans(task.spec["constraints"]["retentionTime"])
    if span == times.UNLIMITED or task.state is not TaskState.COMPLETED:
        return None
    return task.ended + span


class Retention:
    """One timer for all tasks, by the second.

    Args:
        background: where it waits.
        pools: by key.
        jobs: by key.
    """

    def __init__(
        self, background: Background, pools: Mapping[str, PoolRuntime], jobs: Mapping[str, JobRuntime]
    ) -> None:
        self._background = background
        self._pools = pools
        self._jobs = jobs
        self._due: list[tuple[int, str]] = []
        self._sooner = Signal()

    def start(self) -> None:
        """Begin to remove."""
        self._background.spawn(self._run)

    def watch(self, job: JobRuntime, task: TaskRecord) -> None:
        """Remove a task's folder when its time is over.

        Args:
            job: of the task.
            task: just completed, or found completed after a restart.
        """
        until = kept_until(task)
        if until is None or task.node_id is None:
            return
        machine = self._machine(task)
        if machine is not None and not isinstance(machine.node, SimulatedNode):
            self._remind(job, key_of(task.id), -(-until // times.TICKS_PER_SECOND))

    def _remind(self, job: JobRuntime, key: str, second: int) -> None:
        # The job holds the names: with it goes all that is known of its tasks.
        names = job.expiring.get(second)
        if names is not None:
            names.append(key)
            return
        job.expiring[second] = [key]
        heapq.heappush(self._due, (second, job.key))
        if self._due[0] == (second, job.key):
            self._sooner.tell()

    async def _run(self) -> None:
        while True:
            left = self._due[0][0] - times.now() / times.TICKS_PER_SECOND if self._due else None
            if left is None or left > 0:
                with anyio.move_on_after(left):
                    await self._sooner.wait()
                continue
            second, name = heapq.heappop(self._due)
            job = self._jobs.get(name)
            for key in job.expiring.pop(second, ()) if job is not None else ():
                if job is not None:
                    await self._remove(job, key)

    async def _remove(self, job: JobRuntime, key: str) -> None:
        task = job.record.tasks.get(key)
        until = kept_until(task) if task is not None else None
        if task is None or until is None or until > times.now():  # it ran again, or is gone
            return
        machine = self._machine(task)
        if machine is None or isinstance(machine.node, SimulatedNode):
            return
        if machine.node is None:
            # After a restart it is just coming back.
            with anyio.move_on_after(_BOOT_LIMIT):
                await machine.boot_over.wait()
        if machine.node is None:
            self._remind(job, key, times.now() // times.TICKS_PER_SECOND + _LATER)
            return
        await remove_folder(machine, task_directory(task.job_id, task.id))

    def _machine(self, task: TaskRecord) -> Machine | None:
        pool = self._pools.get((task.pool_id or "").lower())
        return pool.machines.get(task.node_id or "") if pool is not None else None
