"""Deletes what the run created, by policy, and says what stays and what could not be deleted."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from traceback import format_exception
from typing import ClassVar

import anyio
import structlog

from orchestrator.accounts.shared_pools import SharedPools
from orchestrator.errors import NotFoundError, OrchestratorError
from orchestrator.events import (
    CleanupCompleted,
    CleanupFailed,
    DownloadFailed,
    Event,
    JobSettled,
    PoolReused,
    Publish,
    ResourceDeleted,
    ResourceKept,
)
from orchestrator.handlers.cleanup_account import BatchLike, CleanupLedger, StorageLike
from orchestrator.handlers.cleanup_decision import Decision, decide, kept_because
from orchestrator.handlers.cleanup_release import LOOKS, Release, as_seen
from orchestrator.limits import Limits
from orchestrator.spec.ids import output_container
from orchestrator.spec.job import CleanupSpec, CleanupWhen
from orchestrator.spec.marks import APPLICATION_KEY, RUN_KEY
from orchestrator.states import JobState, PoolSnapshot, RunOutcome

_JOB, _POOL, _CONTAINER, _APPLICATION = "job", "pool", "container", "application"
_OVER = (JobState.COMPLETED, JobState.DELETING)
_ENDING = (JobState.TERMINATING, *_OVER)
_STOPPED = "the orchestrator's run is over"
_NOT_OURS = "this run did not create it"
_CHANGING = "others changed it each time it was looked at; delete it"

_log = structlog.get_logger()


class CleanupHandler:
    """Cleans up once the job is settled.

    Only what the ledger says this run may have created, and what in the service names this run as its
    creator, is ever deleted; the application's container is named by its content and names nobody. The job
    goes first, and if it stays it is ended, so that nothing runs for nobody; the pool, which costs money, as
    soon as the job's deletion has been accepted, or, where release tasks run on its nodes, once the job is
    over, but no later than after half of the time; the containers when the job is gone or no longer waited
    for; the application's container last, and only when no pool and no other job names it. One failure
    stops nothing else, and what is not done after `Limits.cleanup_timeout` is left over.

    What a policy keeps, and what turns out to be somebody else's, is struck out of the ledger: no later
    clean-up is owed for it. What could not be deleted, a pool of this run that other jobs still use, and an
    application that somebody else uses stay in; of these only the application costs next to nothing, and is
    told as kept, not as left over.

    Args:
        publish: for what becomes of each thing.
        job_id: of the run's job.
        pool_id: of the run's pool, whether it was created or reused.
        has_release: whether the job has a release task, for which the pool must wait.
        policy: of the job file.
        batch: where job and pool are.
        storage: where the containers are.
        ledger: what this run has created.
        pools: which other runs here need them; none by default.
        ask: answers the policy `ask`, given (kind, id); None where nobody can be asked.
        limits: `cleanup_timeout`, and how long and how often the end of a thing is waited for.
    """

    name: ClassVar[str] = "cleanup"
    consumes: ClassVar[tuple[type[Event], ...]] = (PoolReused, DownloadFailed, JobSettled)
    produces: ClassVar[tuple[type[Event], ...]] = (
        ResourceDeleted,
        ResourceKept,
        CleanupFailed,
        CleanupCompleted,
    )

    def __init__(
        self,
        publish: Publish,
        *,
        job_id: str,
        pool_id: str,
        has_release: bool,
        policy: CleanupSpec,
        batch: BatchLike,
        storage: StorageLike,
        ledger: CleanupLedger,
        pools: SharedPools | None = None,
        ask: Callable[[str, str], Awaitable[bool]] | None,
        limits: Limits,
    ) -> None:
        self._publish = publish
        self._job_id = job_id
        self._pool_id = pool_id
        self._has_release = has_release
        self._policy = policy
        self._batch = batch
        self._storage = storage
        self._ledger = ledger
        self._pools = pools or SharedPools()
        self._ask = ask
        self._limits = limits
        self._asking = anyio.Lock()
        self._begun = False
        self._reused = False
        self._undelivered = 0
        self._stopped: str | None = None
        self._scope: anyio.CancelScope | None = None
        self._run_id = ""
        self._outcome = RunOutcome.ERROR
        self._pending: dict[tuple[str, str], None] = {}
        self._deleted: list[str] = []
        self._kept: list[str] = []
        self._leftovers: list[tuple[str, str, str]] = []

    def stop(self, reason: str) -> None:
        """Give up what is not done yet: it is listed as left over, and `CleanupCompleted` follows at once."""
        self._stopped = self._stopped or reason
        if self._scope is not None:
            self._scope.cancel()

    def resume(self, *, deleted: Sequence[str], kept: Sequence[str], reused: bool, undelivered: int) -> None:
        """Go on with the clean-up of a run whose program died.

        Args:
            deleted: what had been deleted by then, as `kind id`.
            kept: what was to stay.
            reused: whether the pool was not of the run's making.
            undelivered: how many files could not be brought here.
        """
        self._deleted.extend(deleted)
        self._kept.extend(kept)
        self._reused = reused
        self._undelivered = undelivered

    async def handle(self, event: Event, /) -> None:
        """Clean up after the settled job; a second `JobSettled` changes nothing."""
        if isinstance(event, PoolReused):
            self._reused = True
        if isinstance(event, DownloadFailed):
            self._undelivered += 1
        if not isinstance(event, JobSettled) or self._begun:
            return
        self._begun = True
        self._run_id, self._outcome = event.run_id, event.outcome
        try:
            await self._pools.leave(self._pool_id, self._run_id)
            # Read whatever happens next: who is stopped at once has to name what is left all the same.
            owed = await self._ledger.owed()
            self._pending = dict.fromkeys(owed)
            with anyio.move_on_after(self._limits.cleanup_timeout) as self._scope:
                if self._stopped is not None:
                    self._scope.cancel()
                await self._clean_up(owed)
        except Exception as error:
            # The border: whatever broke, what is still there must be named.
            # Formatted plainly: structlog's own rendering of a traceback looks at files.
            _log.error("cleanup.broken", run=self._run_id, traceback="".join(format_exception(error)))
            self._stopped = self._stopped or f"{type(error).__name__}: {error}"
        await self._tell_end()

    async def _clean_up(self, owed: Sequence[tuple[str, str]]) -> None:
        reused = self._reused and f"{_POOL} {self._pool_id}" not in self._kept
        if reused and (_POOL, self._pool_id) not in self._pending:
            await self._keep(_POOL, self._pool_id, _NOT_OURS, settle=False)
        accepted, over = anyio.Event(), anyio.Event()
        async with anyio.create_task_group() as group:
            group.start_soon(self._clean_up_job, accepted, over)
            if self._has_release:
                # Release tasks run on the pool's nodes when the job ends: its deletion would cut them off.
                # Half of the time stays for the pool, which costs money however long they take.
                with anyio.move_on_after(self._limits.cleanup_timeout / 2):
                    await over.wait()
            else:
                await accepted.wait()
            for kind, resource_id in owed:
                if kind == _POOL:
                    group.start_soon(self._clean_up_pool, resource_id)
            await over.wait()
            for kind, resource_id in owed:
                if kind == _CONTAINER:
                    group.start_soon(self._clean_up_container, kind, resource_id)
        for kind, resource_id in owed:
            if kind == _APPLICATION:
                await self._clean_up_application(resource_id)

    async def _clean_up_job(self, accepted: anyio.Event, over: anyio.Event) -> None:
        """Delete or end the job; the events are set whatever happens, for the others do not depend on it."""
        try:
            if (_JOB, self._job_id) in self._pending:
                await self._delete_or_end_job(accepted)
        except NotFoundError:
            await self._gone(_JOB, self._job_id, True)
        except OrchestratorError as error:
            self._left(_JOB, self._job_id, str(error))
        finally:
            accepted.set()
            over.set()

    async def _delete_or_end_job(self, accepted: anyio.Event) -> None:
        delete = await self._should_delete(_JOB, self._job_id, self._policy.job)
        for _ in range(LOOKS):
            # Looked at after the question, which may take minutes, and right before the deed.
            found = await self._batch.get_job(self._job_id)
            if not self._is_ours(found.metadata):
                await self._keep(_JOB, self._job_id, _NOT_OURS, settle=True)
                return
            if not delete:
                break
            if await as_seen(self._batch.lifetimes.delete_job(self._job_id, if_match=found.etag)):
                accepted.set()
                await self._gone(_JOB, self._job_id, await self._batch.wait_job_gone(self._job_id))
                return
        else:
            self._left(_JOB, self._job_id, _CHANGING)
            return
        # While it may still be changed: one that is over can't be.
        note = await self._release(_JOB, self._job_id, self._policy.job)
        await self._batch.terminate_job(self._job_id, _STOPPED)
        await self._keep_by_policy(_JOB, self._job_id, self._policy.job, note)
        if self._has_release:
            await self._wait_job_over()

    async def _wait_job_over(self) -> None:
        """Wait until the job's release tasks have run: only then it is completed (REST: Job - Terminate)."""
        # The job has got what it should; who can't look at it any more has no reason to wait.
        with anyio.move_on_after(self._limits.deletion_timeout), contextlib.suppress(OrchestratorError):
            while True:
                if (await self._batch.get_job(self._job_id)).state is JobState.COMPLETED:
                    return
                await anyio.sleep(self._limits.deletion_poll_interval)

    def _is_ours(self, metadata: Sequence[tuple[str, str]] | Mapping[str, str]) -> bool:
        # The ledger is written before a thing is created: when that was refused, since somebody else has a
        # thing of that name, and the run was cancelled or killed before it was struck out, it is theirs.
        return dict(metadata).get(RUN_KEY) == self._run_id

    async def _clean_up_pool(self, pool_id: str) -> None:
        try:
            if not await self._should_delete(_POOL, pool_id, self._policy.pool):
                note = await self._release(_POOL, pool_id, self._policy.pool)
                await self._keep_by_policy(_POOL, pool_id, self._policy.pool, note)
                return
            for _ in range(LOOKS):
                found = await self._batch.get_pool(pool_id)
                if not self._is_ours(found.metadata):
                    await self._keep(_POOL, pool_id, _NOT_OURS, settle=True)
                    return
                async with self._pools.deciding(pool_id) as heir:
                    if heir is not None:
                        if not await self._hand_over(found, heir):
                            continue
                        return
                    users = await self._other_jobs(pool_id)
                    if users:
                        # Nobody deletes it when they are done: their runs did not create it. It expires.
                        told = f"other jobs use it: {', '.join(users)}; delete it after them"
                        self._left(_POOL, pool_id, told)
                        return
                    begun = await as_seen(self._batch.lifetimes.delete_pool(pool_id, if_match=found.etag))
                if begun:
                    await self._gone(_POOL, pool_id, await self._batch.wait_pool_gone(pool_id))
                    return
            self._left(_POOL, pool_id, _CHANGING)
        except NotFoundError:
            await self._gone(_POOL, pool_id, True)
        except OrchestratorError as error:
            self._left(_POOL, pool_id, str(error))

    async def _hand_over(self, found: PoolSnapshot, heir: str) -> bool:
        """Leave a pool to a run that uses it and deletes it by its own policy; False if it has changed."""
        # The heir owes it first: whoever dies in between, one of the two looks after it.
        await self._ledger.hand_over(_POOL, found.id, heir)
        marks = {**dict(found.metadata), RUN_KEY: heir}.items()
        if not await as_seen(self._batch.lifetimes.mark_pool(found.id, marks, if_match=found.etag)):
            return False
        await self._keep(_POOL, found.id, f"run {heir} uses it, and sees to it", settle=True)
        return True

    async def _other_jobs(self, pool_id: str) -> list[str]:
        # A job says its pool's id as its creator wrote it; the service compares ids without case.
        return sorted(
            job.id
            for job in await self._batch.list_jobs()
            if (job.pool_id or "").lower() == pool_id.lower()
            and job.id.lower() != self._job_id.lower()
            and job.state not in _OVER
        )

    async def _clean_up_container(self, kind: str, container: str) -> None:
        try:
            if not await self._should_delete(kind, container, self._policy.containers):
                note = await self._release(kind, container, self._policy.containers)
                await self._keep_by_policy(kind, container, self._policy.containers, note)
                return
            found = await self._storage.containers.look(container)
            if kind == _CONTAINER and not self._is_ours(found.metadata):
                await self._keep(kind, container, _NOT_OURS, settle=True)
                return
            if self._undelivered and container == output_container(self._run_id):
                # A full disk here must not cost the work of a night there.
                reason = f"{self._undelivered} file(s) could not be downloaded and are still in it"
                reason += await self._release(kind, container, self._policy.containers)
                await self._keep(kind, container, reason, settle=True)
                return
            if await as_seen(self._storage.containers.delete(container, unmodified_since=found.modified)):
                await self._gone(kind, container, True)
            else:
                self._left(kind, container, _CHANGING)
        except NotFoundError:
            await self._gone(kind, container, True)
        except OrchestratorError as error:
            self._left(kind, container, str(error))

    async def _clean_up_application(self, container: str) -> None:
        try:
            user = await self._application_user(container)
        except OrchestratorError as error:
            self._left(_APPLICATION, container, f"whether it is still used is unknown: {error}")
            return
        if user is not None:
            await self._keep(_APPLICATION, container, f"{user} uses it", settle=False)
            return
        await self._clean_up_container(_APPLICATION, container)

    async def _application_user(self, container: str) -> str | None:
        for pool in await self._batch.list_pools():
            if (APPLICATION_KEY, container) in pool.metadata:
                return f"pool {pool.id}"
        for job in await self._batch.list_jobs():
            # A job that ends, as this run's own does by now, prepares no node any more.
            if (APPLICATION_KEY, container) in job.metadata and job.state not in _ENDING:
                return f"job {job.id}"
        return None

    async def _should_delete(self, kind: str, resource_id: str, policy: CleanupWhen) -> bool:
        terminal = self._ask is not None
        decision = decide(policy, self._outcome, asked=None, terminal=terminal)
        if decision is Decision.ASK and self._ask is not None:
            async with self._asking:  # one question at a time, though things are deleted at the same time
                answer = await self._ask(kind, resource_id)
            decision = decide(policy, self._outcome, asked=answer, terminal=terminal)
        return decision is Decision.DELETE

    async def _gone(self, kind: str, resource_id: str, gone: bool) -> None:
        if not gone:
            limit = self._limits.deletion_timeout
            self._left(
                kind, resource_id, f"its deletion was accepted, but it is still there after {limit:g} s"
            )
            return
        with anyio.CancelScope(shield=True):  # what is known to be gone must not be listed as left over
            await self._ledger.settle(kind, resource_id)
            self._pending.pop((kind, resource_id), None)
            self._deleted.append(f"{kind} {resource_id}")
            await self._publish(ResourceDeleted(run_id=self._run_id, kind=kind, id=resource_id))

    async def _release(self, kind: str, resource_id: str, policy: CleanupWhen) -> str:
        """See to it that a thing stays that was to go; what `never` goes was created so."""
        if policy is CleanupWhen.NEVER:
            return ""
        release = Release(run_id=self._run_id, batch=self._batch, storage=self._storage)
        return await {_JOB: release.job, _POOL: release.pool}.get(kind, release.container)(resource_id)

    async def _keep_by_policy(self, kind: str, resource_id: str, policy: CleanupWhen, note: str) -> None:
        reason = kept_because(policy, terminal=self._ask is not None) + note
        await self._keep(kind, resource_id, reason, settle=True)

    async def _keep(self, kind: str, resource_id: str, reason: str, *, settle: bool) -> None:
        with anyio.CancelScope(shield=True):  # as in `_gone`
            if settle:
                await self._ledger.settle(kind, resource_id)
            self._pending.pop((kind, resource_id), None)
            self._kept.append(f"{kind} {resource_id}")
            await self._publish(ResourceKept(run_id=self._run_id, kind=kind, id=resource_id, reason=reason))

    def _left(self, kind: str, resource_id: str, reason: str) -> None:
        self._pending.pop((kind, resource_id), None)
        self._leftovers.append((kind, resource_id, reason))

    async def _tell_end(self) -> None:
        why = self._stopped or f"clean-up was not done after {self._limits.cleanup_timeout:g} s"
        self._leftovers.extend((kind, resource_id, why) for kind, resource_id in self._pending)
        if self._leftovers:
            await self._publish(CleanupFailed(run_id=self._run_id, leftovers=tuple(self._leftovers)))
        await self._publish(
            CleanupCompleted(
                run_id=self._run_id,
                deleted=tuple(self._deleted),
                kept=tuple(self._kept),
                leftovers=tuple(f"{kind} {resource_id}" for kind, resource_id, _ in self._leftovers),
            )
        )
