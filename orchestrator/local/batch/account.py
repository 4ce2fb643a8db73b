"""The Batch account: what exists in it, and the parts that make it live."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from orchestrator.local.batch.allocation import Allocation, StartNode
from orchestrator.local.batch.background import Background
from orchestrator.local.batch.delays import Delays
from orchestrator.local.batch.dispatch import Dispatch
from orchestrator.local.batch.errors import (
    job_not_found,
    node_not_found,
    pool_not_found,
    task_not_found,
)
from orchestrator.local.batch.executions import Executions
from orchestrator.local.batch.job_endings import JobEndings
from orchestrator.local.batch.preparation import Preparations
from orchestrator.local.batch.runtime import JobRuntime, Machine, PoolRuntime
from orchestrator.local.batch.store.records import JobRecord, PoolRecord, TaskRecord
from orchestrator.local.batch.store.sorted_index import SortedIndex


class Account:
    """Holds everything; handlers work on it.

    Args:
        name: of the account.
        url: as tasks reach it, without a slash at the end.
        nodes_dir: below which the nodes' roots are.
        start_node: starts a node's process with that root.
        delays: to take.
    """

    def __init__(
        self, *, name: str, url: str, nodes_dir: Path, start_node: StartNode, delays: Delays
    ) -> None:
        self.name = name
        self.pool_records: SortedIndex[PoolRecord] = SortedIndex()
        self.job_records: SortedIndex[JobRecord] = SortedIndex()
        self._pools: dict[str, PoolRuntime] = {}
        self._jobs: dict[str, JobRuntime] = {}
        self._sequence = 0
        self._background = Background()
        executions = Executions(name, url)
        self.preparations = Preparations(self._background, executions)
        self.dispatch = Dispatch(self._background, executions, self.preparations, self._pools, self._jobs)
        self.allocation = Allocation(
            background=self._background,
            dispatch=self.dispatch,
            executions=executions,
            delays=delays,
            start_node=start_node,
            nodes_dir=nodes_dir,
            pools=self._pools,
            jobs=self._jobs,
            forget=self._forget_pool,
            after_reboot=self.preparations.after_reboot,
        )
        self.endings = JobEndings(
            background=self._background,
            dispatch=self.dispatch,
            preparations=self.preparations,
            allocation=self.allocation,
            delays=delays,
            pools=self._pools,
            forget=self._forget_job,
        )
        self.dispatch.consequences = self.endings

    async def start(self) -> None:
        """Begin to live."""
        await self._background.start()

    async def close(self) -> None:
        """Stop everything that goes on, and end every node's process."""
        await self._background.close()
        await self.allocation.close()

    def next_job_sequence(self) -> int:
        """Number the jobs in order of creation."""
        self._sequence += 1
        return self._sequence

    def add_pool(self, pool: PoolRuntime) -> None:
        """Take a pool in.

        Args:
            pool: whose id is free.
        """
        self._pools[pool.key] = pool
        self.pool_records.add(pool.record.id, pool.record)

    def add_job(self, job: JobRuntime) -> None:
        """Take a job in.

        Args:
            job: whose id is free.
        """
        self._jobs[job.key] = job
        self.job_records.add(job.record.id, job.record)
        self.dispatch.bind(job)

    def pool(self, name: str) -> PoolRuntime:
        """Look a pool up.

        Args:
            name: in any case.

        Raises:
            ApiError: PoolNotFound.
        """
        pool = self._pools.get(name.lower())
        if pool is None:
            raise pool_not_found()
        return pool

    def machine(self, pool_name: str, node_name: str) -> Machine:
        """Look a node up.

        Args:
            pool_name: in any case.
            node_name: in any case.

        Raises:
            ApiError: PoolNotFound or NodeNotFound.
        """
        machine = self.pool(pool_name).machines.get(node_name.lower())
        if machine is None:
            raise node_not_found()
        return machine

    def job(self, name: str) -> JobRuntime:
        """Look a job up.

        Args:
            name: in any case.

        Raises:
            ApiError: JobNotFound.
        """
        job = self._jobs.get(name.lower())
        if job is None:
            raise job_not_found()
        return job

    def task(self, job_name: str, task_name: str) -> tuple[JobRuntime, TaskRecord]:
        """Look a task up.

        Args:
            job_name: in any case.
            task_name: in any case.

        Raises:
            ApiError: JobNotFound or TaskNotFound.
        """
        job = self.job(job_name)
        task = job.record.tasks.get(task_name)
        if task is None:
            raise task_not_found()
        return job, task

    def has_pool(self, name: str) -> PoolRuntime | None:
        """Look a pool up that may not be there.

        Args:
            name: in any case.
        """
        return self._pools.get(name.lower())

    def has_job(self, name: str) -> JobRuntime | None:
        """Look a job up that may not be there.

        Args:
            name: in any case.
        """
        return self._jobs.get(name.lower())

    def pools(self) -> Iterator[PoolRuntime]:
        """Walk the pools in order of their ids."""
        return (self._pools[record.id.lower()] for record in self.pool_records)

    def _forget_pool(self, pool: PoolRuntime) -> None:
        del self._pools[pool.key]
        self.pool_records.pop(pool.record.id)

    def _forget_job(self, job: JobRuntime) -> None:
        self.dispatch.unbind(job)
        del self._jobs[job.key]
        self.job_records.pop(job.record.id)
