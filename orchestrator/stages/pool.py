"""Stage: makes sure that the pool is there, fits, and brings the application to its nodes."""

from __future__ import annotations

import enum
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

import anyio
import msgspec

from orchestrator.accounts.batch import BatchAccount, Creation
from orchestrator.accounts.bodies import pool_body, start_task_body
from orchestrator.accounts.storage import StorageAccount
from orchestrator.errors import ConflictError, NotFoundError, PoolError
from orchestrator.events import PoolCreated, PoolReused, Publish, utc_now
from orchestrator.limits import Limits
from orchestrator.spec.marks import APPLICATION_KEY, JOB_KEY, RUN_KEY
from orchestrator.spec.plan import RunPlan
from orchestrator.spec.pool import ImageSpec, PoolSpec
from orchestrator.spec.secret import SecretText
from orchestrator.stages.image import choose_image, misfits
from orchestrator.stages.ledger import Ledger, ResourceKind
from orchestrator.states import PoolSnapshot, PoolState, SupportedImage


class ApplicationBy(enum.StrEnum):
    """Who brings the application to the nodes."""

    START_TASK = "start task"
    PREPARATION_TASK = "preparation task"
    NOBODY = "none"


class ReadyPool(msgspec.Struct, frozen=True, kw_only=True):
    """The pool as the job will use it."""

    pool_id: str
    application_by: ApplicationBy


class PoolStage:
    """Creates a pool, or takes the one that is there.

    Args:
        plan: of the run.
        batch: where the pool is.
        storage: signs the addresses of the application's files.
        ledger: the pool is written there before it is created.
        publish: told of the pool.
        limits: how long a deletion may take, and how long a start task's SAS lasts.
        start_command: the start task's command line, None where none is needed.
        start_environment: the start task's settings, secrets resolved.
        application: the application's container, named by its content; None where there is none.
        start_files: makes the start task's resource files, with addresses valid until the time it is given.
    """

    def __init__(
        self,
        *,
        plan: RunPlan,
        batch: BatchAccount,
        storage: StorageAccount,
        ledger: Ledger,
        publish: Publish,
        limits: Limits,
        start_command: str | None,
        start_environment: Mapping[str, SecretText],
        application: str | None,
        start_files: Callable[[datetime], Awaitable[list[dict[str, Any]]]],
    ) -> None:
        self._plan = plan
        self._spec: PoolSpec = plan.spec.pool
        self._batch = batch
        self._storage = storage
        self._ledger = ledger
        self._publish = publish
        self._limits = limits
        self._start_command = start_command
        self._start_environment = start_environment
        self._application = application
        self._start_files = start_files

    async def ensure(self) -> ReadyPool:
        """Bring the pool to where the job can be bound to it.

        Returns:
            The pool, and who brings the application.

        Raises:
            PoolError: it does not fit, has to exist and does not, is being deleted for too long, or no image
                fits.
            ServiceError, UnreachableError: the service refused or did not answer.
        """
        existing = await self._find()
        if existing is not None:
            return await self._reuse(existing)
        if self._spec.must_exist:
            raise PoolError(
                "does not exist; create it, or give vm_size and image in [pool]", pool_id=self._plan.pool_id
            )
        image = choose_image(
            await self._batch.supported_images(),
            _wanted_image(self._spec, self._plan.pool_id),
            pool_id=self._plan.pool_id,
            now=utc_now(),
        )
        theirs = await self._create(image)
        if theirs is not None:
            # Somebody else was faster between our look and our request: the pool is theirs.
            await self._ledger.settle(ResourceKind.POOL, self._plan.pool_id)
            return await self._reuse(theirs)
        await self._publish(
            PoolCreated(
                run_id=self._plan.run_id,
                pool_id=self._plan.pool_id,
                vm_size=self._spec.vm_size or "",
                image=f"{image.publisher}/{image.offer}/{image.sku}",
                target_dedicated_nodes=self._spec.target_dedicated_nodes,
                target_low_priority_nodes=self._spec.target_low_priority_nodes,
            )
        )
        carries = self._application is not None
        return ReadyPool(
            pool_id=self._plan.pool_id,
            application_by=ApplicationBy.START_TASK if carries else ApplicationBy.NOBODY,
        )

    async def _find(self) -> PoolSnapshot | None:
        """The pool, once it is not on its way out any more."""
        with anyio.move_on_after(self._limits.deletion_timeout):
            while True:
                try:
                    found = await self._batch.get_pool(self._plan.pool_id)
                except NotFoundError:
                    return None
                if found.state is not PoolState.DELETING:
                    return found
                await anyio.sleep(self._limits.deletion_poll_interval)
        raise PoolError(
            f"is being deleted and still there after {self._limits.deletion_timeout:g} s; wait until it is "
            "gone, or take another id",
            pool_id=self._plan.pool_id,
        )

    async def _create(self, image: SupportedImage) -> PoolSnapshot | None:
        """Create the pool; returns the one that somebody else created meanwhile, None if it is ours."""
        metadata = {RUN_KEY: self._plan.run_id, JOB_KEY: self._plan.job_id}
        if self._application is not None:
            metadata[APPLICATION_KEY] = self._application
        body = pool_body(
            self._spec,
            pool_id=self._plan.pool_id,
            image=image,
            start_task=await self._start_task(),
            metadata=metadata,
        )
        await self._ledger.owe(ResourceKind.POOL, self._plan.pool_id)
        try:
            # A request that is cancelled may still be carried out, after clean-up has found nothing: its
            # outcome must be known before the cancellation goes on. `Limits.operation_timeout` bounds it.
            with anyio.CancelScope(shield=True):
                creation = await self._batch.create_pool(body)
            if creation is Creation.CREATED:
                return None
        except ConflictError as error:
            if error.code != "PoolExists":
                raise
        found = await self._batch.get_pool(self._plan.pool_id)
        return None if dict(found.metadata).get(RUN_KEY) == self._plan.run_id else found

    async def _start_task(self) -> dict[str, Any] | None:
        if self._start_command is None:
            return None
        start = self._spec.start_task
        until = utc_now() + timedelta(seconds=self._limits.pool_sas_lifetime)
        return start_task_body(
            self._start_command,
            await self._start_files(until),
            self._start_environment,
            elevated=True,
            retries=start.max_task_retry_count if start else 1,
            rest=start.rest if start else None,
        )

    async def _reuse(self, found: PoolSnapshot) -> ReadyPool:
        wrong = misfits(found.body, self._spec)
        if wrong:
            raise PoolError(f"exists and does not fit: {'; '.join(wrong)}", pool_id=found.id)
        autoscaled = bool(found.body.get("enableAutoScale"))
        if found.target_dedicated_nodes + found.target_low_priority_nodes == 0 and not autoscaled:
            raise PoolError("exists, but has no nodes and none are on their way; resize it", pool_id=found.id)
        carried = dict(found.metadata).get(APPLICATION_KEY)
        if self._application is None:
            by = ApplicationBy.NOBODY
        elif carried == self._application:
            by = ApplicationBy.START_TASK
        else:
            by = ApplicationBy.PREPARATION_TASK
        if carried is not None:
            await self._renew(found)
        await self._publish(
            PoolReused(
                run_id=self._plan.run_id,
                pool_id=found.id,
                application=by.value,
                differences=_differences(found, self._spec),
            )
        )
        return ReadyPool(pool_id=found.id, application_by=by)

    async def _renew(self, found: PoolSnapshot) -> None:
        """Sign the start task's files anew, so that nodes that join or reboot later still get them."""
        start_task = found.body.get("startTask")
        if not isinstance(start_task, dict):
            return
        until = utc_now() + timedelta(seconds=self._limits.pool_sas_lifetime)
        files = []
        for file in start_task.get("resourceFiles") or ():
            ours = self._storage.owns_url(str(file.get("httpUrl", "")))
            if ours is not None:
                signed = await self._storage.read_url(*ours, until=until)
                files.append({**file, "httpUrl": signed.reveal()})
            else:
                files.append(file)
        if files:
            await self._batch.patch_pool(found.id, {"startTask": {**start_task, "resourceFiles": files}})


async def still_there(*, pool_id: str, batch: BatchAccount) -> None:
    """Make sure that the pool did not go away before the job was on it: tasks would wait for it for ever.

    Asked once the job is created. From then on the clean-up of the run that created the pool sees the job and
    leaves the pool; what it had decided before shows here, but for the moment between its look at the jobs
    and its request.

    Args:
        pool_id: of the pool that the job was put on.
        batch: where it is.

    Raises:
        PoolError: it is gone, or is being deleted.
        ServiceError, UnreachableError: the service refused or did not answer.
    """
    try:
        found = await batch.get_pool(pool_id)
    except NotFoundError:
        state = "is gone"
    else:
        if found.state is not PoolState.DELETING:
            return
        state = "is being deleted"
    raise PoolError(f"{state}: somebody deleted it while the job was created; run it again", pool_id=pool_id)


def _wanted_image(spec: PoolSpec, pool_id: str) -> ImageSpec:
    if spec.image is None:
        raise PoolError("does not exist and no image is given to create it with", pool_id=pool_id)
    return spec.image


def _differences(found: PoolSnapshot, wanted: PoolSpec) -> tuple[str, ...]:
    if wanted.must_exist:
        return ()
    pairs = (
        ("target_dedicated_nodes", found.target_dedicated_nodes, wanted.target_dedicated_nodes),
        ("target_low_priority_nodes", found.target_low_priority_nodes, wanted.target_low_priority_nodes),
    )
    return tuple(f"{name} is {has}, not {asked}" for name, has, asked in pairs if has != asked)
