"""What is asked of the service when something goes wrong: looks that explain, and calls that mend."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, TypeVar

import msgspec

from orchestrator.accounts import snapshots
from orchestrator.accounts.bodies import encode
from orchestrator.accounts.pipeline import BatchPipeline
from orchestrator.accounts.retry import Tries
from orchestrator.errors import ConflictError
from orchestrator.states import PreparationSnapshot, WaitingTask

_BEGUN: Final = frozenset({"NodeBeingRebooted", "NodeBeingStarted", "PoolBeingResized"})

T = TypeVar("T")


class BatchCare:
    """Of one Batch account; errors are those of `BatchAccount`.

    Args:
        pipeline: sends the requests.
    """

    def __init__(self, pipeline: BatchPipeline) -> None:
        self._pipeline = pipeline

    async def reactivate_task(self, job_id: str, task_id: str) -> None:
        """Let a failed task run again; its counts begin anew (REST: Task - Reactivate).

        Args:
            job_id: of the job, which must not have ended.
            task_id: of a task that is completed and failed.

        Raises:
            ConflictError: the job has ended.
            NotFoundError: there is no such task or job.
        """
        operation = f"reactivate task {task_id} of job {job_id}"
        try:
            await self._pipeline.call(operation, "POST", ("jobs", job_id, "tasks", task_id, "reactivate"))
        except ConflictError as refused:
            # It waits or runs already, or has done so to its good end: an earlier try of ours went through,
            # or somebody else's did.
            if refused.code not in ("TaskNotCompleted", "TaskSucceeded"):
                raise

    async def reboot_node(self, pool_id: str, node_id: str) -> None:
        """Begin to reboot a node; its tasks go back to the queue (REST: Compute Node - Reboot).

        Raises:
            ConflictError: its state does not allow it.
        """
        body = encode({"nodeRebootOption": "requeue"})
        await self._begin(f"reboot node {node_id}", ("pools", pool_id, "nodes", node_id, "reboot"), body)

    async def remove_nodes(self, pool_id: str, node_ids: Sequence[str]) -> None:
        """Begin to remove nodes, and lower the pool's target by as many (REST: Pool - Remove Nodes).

        Args:
            pool_id: of the pool.
            node_ids: at most a hundred.

        Raises:
            ConflictError: the pool is being resized, and not by an earlier try of ours.
        """
        body = encode({"nodeList": list(node_ids), "nodeDeallocationOption": "requeue"})
        operation = f"remove {len(node_ids)} node(s) of pool {pool_id}"
        await self._begin(operation, ("pools", pool_id, "removenodes"), body)

    async def waiting_tasks(self, job_id: str, *, most: int) -> tuple[WaitingTask, ...]:
        """Some of the tasks that wait, with what they wait for (REST: Task - List).

        Args:
            job_id: of the job.
            most: how many.
        """
        query = {
            "$filter": "state eq 'active'",
            "$select": "id,requiredSlots,dependsOn",
            "maxresults": str(most),
        }
        path = ("jobs", job_id, "tasks")
        return await self._first(f"list waiting tasks of job {job_id}", path, snapshots.waiting_task, query)

    async def preparations(self, job_id: str, *, most: int) -> tuple[PreparationSnapshot, ...]:
        """How the job's preparation task went on some nodes; none where the job has no such task.

        Args:
            job_id: of the job.
            most: how many nodes.
        """
        path = ("jobs", job_id, "jobpreparationandreleasetaskstatus")
        try:
            listed = await self._first(
                f"list preparations of job {job_id}",
                path,
                snapshots.preparation_snapshot,
                {"maxresults": str(most)},
            )
        except ConflictError as refused:
            if not (refused.code or "").startswith("JobPreparationTask"):
                raise
            return ()
        return tuple(found for found in listed if found is not None)

    async def _begin(self, operation: str, path: Sequence[str], body: bytes) -> None:
        tries = Tries()
        try:
            await self._pipeline.call(operation, "POST", path, body=body, tries=tries)
        except ConflictError as refused:
            if not (tries.in_doubt and refused.code in _BEGUN):
                raise

    async def _first(
        self, operation: str, path: Sequence[str], read: Callable[[msgspec.Raw], T], query: dict[str, str]
    ) -> tuple[T, ...]:
        def read_page(body: bytes) -> tuple[T, ...]:
            items, _ = snapshots.page(body)
            return tuple(read(item) for item in items)

        body = await self._pipeline.call(operation, "GET", path, query=query)
        return self._pipeline.read(operation, read_page, body)
