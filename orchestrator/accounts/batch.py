"""The Batch account: pools, jobs, tasks, nodes and task files.

Facts that shape it (recorded, and the REST pages named at the methods): a deletion is over when a look finds
nothing, not when it is answered; every 409 has a code of its own; the same POST sent again after a lost
answer finds what the first one made.
"""

from __future__ import annotations

import enum
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from typing import Any, Final, TypeVar

import anyio
import msgspec

from orchestrator.accounts import snapshots
from orchestrator.accounts.bodies import encode
from orchestrator.accounts.care import BatchCare
from orchestrator.accounts.lifetimes import BatchLifetimes
from orchestrator.accounts.looks import Looks
from orchestrator.accounts.pipeline import BatchPipeline
from orchestrator.accounts.quota_line import QuotaLine
from orchestrator.accounts.retry import Tries
from orchestrator.accounts.submission import AddOutcome, AddStatus, collection, outcomes
from orchestrator.errors import ConflictError, NotFoundError
from orchestrator.states import JobSnapshot, NodeSnapshot, PoolSnapshot, SupportedImage, TaskSnapshot

__all__ = ["AddOutcome", "AddStatus", "BatchAccount", "Creation"]

_WHOLE_PAGE: Final = 250
_SLIM_PAGE: Final = 1000
_ENDED: Final = frozenset({"JobCompleted", "JobBeingTerminated", "JobBeingDeleted"})

T = TypeVar("T")


class Creation(enum.StrEnum):
    """How a thing that was to be created came to be there."""

    CREATED = "created"
    PERHAPS_OURS = "perhaps_ours"
    """It exists, and an earlier try of this very request went unanswered: compare what is there."""


class BatchAccount:
    """What the Batch service can be asked for. Usable from any task while its account is open.

    Every method raises ServiceError (see `accounts/failures.py` for the subclass) when the service refuses,
    and UnreachableError when no answer came within `Limits.operation_timeout`, retries included.

    Args:
        pipeline: sends the requests.

    Attributes:
        care: what is asked for when something goes wrong.
        lifetimes: what says how long pools and jobs stay.
        looks: whoever looks again and again takes a turn there before each look.
        waiting: the runs that wait for room under the account's quotas.
        rate: of the requests; it knows how many there were.
    """

    def __init__(self, pipeline: BatchPipeline) -> None:
        self._pipeline = pipeline
        self._limits = pipeline.limits
        self.care = BatchCare(pipeline)
        self.lifetimes = BatchLifetimes(pipeline)
        self.looks = Looks(self._limits)
        self.rate = pipeline.rate
        self.waiting = QuotaLine(interval=self._limits.backoff_limit)

    async def supported_images(self) -> tuple[SupportedImage, ...]:
        """The images that the service verified with a node agent (REST: Account - List Supported Images)."""
        listed = await self._list("list supported images", ("supportedimages",), snapshots.supported_image)
        return tuple(image for image in listed if image is not None)

    async def create_pool(self, body: Mapping[str, Any]) -> Creation:
        """Create a pool (REST: Pool - Add).

        Args:
            body: made by `bodies.pool_body`.

        Returns:
            How it came to be there.

        Raises:
            ConflictError: `PoolExists`, and it is not of our making.
        """
        return await self._create(f"create pool {body.get('id')}", ("pools",), body, exists="PoolExists")

    async def get_pool(self, pool_id: str) -> PoolSnapshot:
        """Look at a pool (REST: Pool - Get).

        Raises:
            NotFoundError: there is none (any more).
        """
        return await self._get(f"get pool {pool_id}", ("pools", pool_id), snapshots.pool_snapshot)

    async def list_pools(self) -> tuple[PoolSnapshot, ...]:
        """Every pool of the account (REST: Pool - List)."""
        return await self._list("list pools", ("pools",), snapshots.pool_snapshot)

    async def patch_pool(self, pool_id: str, body: Mapping[str, Any]) -> None:
        """Change members of a pool; those that are not named stay as they are (REST: Pool - Patch)."""
        await self._pipeline.call(f"patch pool {pool_id}", "PATCH", ("pools", pool_id), body=encode(body))

    async def resize_pool(self, pool_id: str, *, dedicated: int, low_priority: int) -> None:
        """Ask for another number of nodes; the pool then changes on its own (REST: Pool - Resize).

        Args:
            pool_id: of the pool.
            dedicated: nodes of the dedicated kind.
            low_priority: spot nodes.

        Raises:
            ConflictError: `PoolBeingResized`, and not by an earlier try of ours.
        """
        body = encode({"targetDedicatedNodes": dedicated, "targetLowPriorityNodes": low_priority})
        await self._begin(
            f"resize pool {pool_id}", "POST", ("pools", pool_id, "resize"), body, ours={"PoolBeingResized"}
        )

    async def delete_pool(self, pool_id: str) -> bool:
        """Begin to delete a pool (REST: Pool - Delete); `wait_pool_gone` waits for the end.

        Returns:
            True when its deletion is under way, False when there is none (any more).
        """
        return await self.lifetimes.delete_pool(pool_id)

    async def wait_pool_gone(self, pool_id: str) -> bool:
        """Wait until a pool that is being deleted is no more.

        Returns:
            True once it is gone, False when `Limits.deletion_timeout` passed.
        """
        return await self._wait_gone(lambda: self.get_pool(pool_id))

    async def list_nodes(self, pool_id: str) -> tuple[NodeSnapshot, ...]:
        """The nodes of a pool (REST: Compute Node - List)."""
        return await self._list(
            f"list nodes of pool {pool_id}", ("pools", pool_id, "nodes"), snapshots.node_snapshot
        )

    async def create_job(self, body: Mapping[str, Any]) -> Creation:
        """Create a job (REST: Job - Add).

        Args:
            body: made by `bodies.job_body`.

        Returns:
            How it came to be there.

        Raises:
            ConflictError: `JobExists`, and it is not of our making.
        """
        return await self._create(f"create job {body.get('id')}", ("jobs",), body, exists="JobExists")

    async def get_job(self, job_id: str) -> JobSnapshot:
        """Look at a job (REST: Job - Get).

        Raises:
            NotFoundError: there is none (any more).
        """
        return await self._get(f"get job {job_id}", ("jobs", job_id), snapshots.job_snapshot)

    async def list_jobs(self, filter: str | None = None) -> tuple[JobSnapshot, ...]:  # noqa: A002 - the API's word
        """The jobs of the account (REST: Job - List).

        Args:
            filter: OData, such as `startswith(id,'top')`.

        Returns:
            The jobs.
        """
        query = {"$filter": filter} if filter else {}
        return await self._list("list jobs", ("jobs",), snapshots.job_snapshot, query)

    async def patch_job(self, job_id: str, body: Mapping[str, Any]) -> None:
        """Change members of a job; one that is named is replaced whole (REST: Job - Patch)."""
        await self._pipeline.call(f"patch job {job_id}", "PATCH", ("jobs", job_id), body=encode(body))

    async def terminate_job(self, job_id: str, reason: str) -> bool:
        """End a job: what runs is killed, what waits stays active for ever (REST: Job - Terminate).

        Args:
            job_id: of the job.
            reason: shown as its `terminateReason`.

        Returns:
            True when it now ends, False when it had ended, or was ending, already.

        Raises:
            NotFoundError: there is none.
        """
        body = encode({"terminateReason": reason})
        return await self._begin(
            f"terminate job {job_id}", "POST", ("jobs", job_id, "terminate"), body, already=_ENDED
        )

    async def delete_job(self, job_id: str) -> bool:
        """Begin to delete a job with its tasks (REST: Job - Delete); `wait_job_gone` waits for the end.

        Returns:
            True when its deletion is under way, False when there is none (any more).
        """
        return await self.lifetimes.delete_job(job_id)

    async def wait_job_gone(self, job_id: str) -> bool:
        """Wait until a job that is being deleted is no more.

        Returns:
            True once it is gone, False when `Limits.deletion_timeout` passed.
        """
        return await self._wait_gone(lambda: self.get_job(job_id))

    async def add_tasks(
        self, job_id: str, bodies: Sequence[bytes], *, tries: Tries | None = None
    ) -> tuple[AddOutcome, ...]:
        """Add up to a hundred tasks in one request (REST: Task - Add Collection).

        Args:
            job_id: of the job.
            bodies: of the tasks, as JSON (`bodies.encode`); together under 1 MiB.
            tries: filled with the story of the tries, for who paces the requests.

        Returns:
            What became of each, in the order sent.

        Raises:
            ServiceError: the whole request was refused; with 413 `RequestBodyTooLarge` fewer may pass.
            UnreachableError: whether any of them was added is not known.
        """
        if not bodies:
            return ()
        operation = f"add {len(bodies)} task(s) to job {job_id}"
        tries = tries if tries is not None else Tries()
        answer = await self._pipeline.call(
            operation, "POST", ("jobs", job_id, "addtaskcollection"), body=collection(bodies), tries=tries
        )
        return self._pipeline.read(
            operation, lambda body: outcomes(bodies, body, in_doubt=tries.in_doubt), answer
        )

    async def get_task(self, job_id: str, task_id: str) -> TaskSnapshot:
        """Look at one task (REST: Task - Get).

        Raises:
            NotFoundError: there is none, or no such job.
        """
        return await self._get(
            f"get task {task_id} of job {job_id}", ("jobs", job_id, "tasks", task_id), snapshots.task_snapshot
        )

    async def list_tasks(
        self,
        job_id: str,
        *,
        filter: str | None = None,  # noqa: A002 - the API's word
        select: Sequence[str] = snapshots.TASK_MEMBERS,
    ) -> AsyncGenerator[list[TaskSnapshot], None]:
        """The tasks of a job, page by page (REST: Task - List). A list is no snapshot: tasks move meanwhile.

        Args:
            job_id: of the job.
            filter: OData, such as `stateTransitionTime ge DateTime'…'` with a snapshot's `cursor`.
            select: members that the service is to send; empty for all of them, in smaller pages.

        Yields:
            The tasks of a page.

        Raises:
            ServiceError: the service refused.
            UnreachableError: no answer came.
        """
        slim = bool(select) and set(select) <= set(snapshots.TASK_MEMBERS)
        # A page is read in one go: its size is what keeps the event loop free.
        query = {"maxresults": str(_SLIM_PAGE if slim else _WHOLE_PAGE)}
        if filter:
            query["$filter"] = filter
        if select:
            query["$select"] = ",".join(select)
        told, path, slots = f"list tasks of job {job_id}", ("jobs", job_id, "tasks"), self.looks.slots
        async for tasks in self._pipeline.pages(told, path, snapshots.task_page, query=query, slots=slots):
            yield tasks

    async def task_counts(self, job_id: str) -> snapshots.TaskCounts:
        """How many tasks of a job are in which state (REST: Job - Get Task Counts)."""
        return await self._get(
            f"count tasks of job {job_id}", ("jobs", job_id, "taskcounts"), snapshots.task_counts
        )

    async def list_task_files(self, job_id: str, task_id: str) -> tuple[snapshots.TaskFile, ...]:
        """The files of a task on its node, in every folder (REST: File - List From Task).

        Raises:
            ServiceError: also when the node is gone or the task has not run: there are no files then.
        """
        return await self._list(
            f"list files of task {task_id} of job {job_id}",
            ("jobs", job_id, "tasks", task_id, "files"),
            snapshots.task_file,
            {"recursive": "true"},
        )

    async def read_task_file(
        self, job_id: str, task_id: str, path: str, *, limit: int, offset: int = 0
    ) -> AsyncGenerator[bytes, None]:
        """Read a file of a task from its node (REST: File - Get From Task).

        Args:
            job_id: of the job.
            task_id: of the task.
            path: relative to the task's folder: `stdout.txt`, `wd/out.csv`.
            limit: bytes after which reading ends, such as `Limits.failure_log_bytes`.
            offset: bytes to leave out at the beginning; ServiceError 416 if the file has no more than that.

        Yields:
            Pieces.

        Raises:
            ServiceError: the service refused, or the node is gone.
            UnreachableError: no answer came, or not all of it: read it anew.
        """
        pieces = self._pipeline.stream(
            f"read {path} of task {task_id} of job {job_id}",
            ("jobs", job_id, "tasks", task_id, "files", path),
            limit=limit,
            offset=offset,
        )
        async with aclosing(pieces):  # a reader that leaves early must not keep the connection
            async for piece in pieces:
                yield piece

    async def _get(self, operation: str, path: Sequence[str], read: Callable[[bytes], T]) -> T:
        return self._pipeline.read(operation, read, await self._pipeline.call(operation, "GET", path))

    async def _list(
        self,
        operation: str,
        path: Sequence[str],
        read: Callable[[msgspec.Raw], T],
        query: Mapping[str, str] | None = None,
    ) -> tuple[T, ...]:
        def read_page(body: bytes) -> tuple[list[T], str | None]:
            items, link = snapshots.page(body)
            return [read(item) for item in items], link

        asked = {"maxresults": str(_WHOLE_PAGE), **(query or {})}
        listed: list[T] = []
        async for items in self._pipeline.pages(operation, path, read_page, query=asked):
            listed += items
        return tuple(listed)

    async def _create(
        self, operation: str, path: Sequence[str], body: Mapping[str, Any], *, exists: str
    ) -> Creation:
        tries = Tries()
        try:
            await self._pipeline.call(operation, "POST", path, body=encode(body), tries=tries)
        except ConflictError as refused:
            if refused.code == exists and tries.in_doubt:
                return Creation.PERHAPS_OURS
            raise
        return Creation.CREATED

    async def _begin(
        self,
        operation: str,
        method: str,
        path: Sequence[str],
        body: bytes | None,
        *,
        ours: frozenset[str] | set[str] = frozenset(),
        already: frozenset[str] = frozenset(),
    ) -> bool:
        tries = Tries()
        try:
            await self._pipeline.call(operation, method, path, body=body, tries=tries)
        except ConflictError as refused:
            if tries.in_doubt and refused.code in (ours | already):
                return True
            if refused.code in already:
                return False
            raise
        return True

    async def _wait_gone(self, look: Callable[[], Awaitable[object]]) -> bool:
        with anyio.move_on_after(self._limits.deletion_timeout):
            while True:
                try:
                    await look()
                except NotFoundError:
                    return True
                await anyio.sleep(self._limits.deletion_poll_interval)
        return False
