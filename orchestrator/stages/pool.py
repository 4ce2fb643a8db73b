"""Stage: makes sure that the pool is there, fits, and brings the application to its nodes."""

from __future__ import annotations

import enum
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

import anyio
import msgspec
import structlog

from orchestrator.accounts.access import Access
from orchestrator.accounts.batch import BatchAccount, Creation
from orchestrator.accounts.bodies import pool_body, start_task_body
from orchestrator.accounts.storage import StorageAccount
from orchestrator.errors import ConflictError, NotFoundError, PoolError
from orchestrator.events import PoolCreated, PoolReused, Publish, utc_now
from orchestrator.limits import Limits
from orchestrator.spec.duration import Duration
from orchestrator.spec.last_net import cast, wants_net
from orchestrator.spec.marks import APPLICATION_KEY, NET_KEY, RUN_KEY, expiry, ownership_marks
from orchestrator.spec.plan import RunPlan
from orchestrator.spec.pool import ImageSpec, PoolSpec
from orchestrator.spec.secret import SecretText
from orchestrator.stages.image import choose_image, misfits
from orchestrator.stages.ledger import Ledger, ResourceKind
from orchestrator.states import PoolSnapshot, PoolState, SupportedImage

log = structlog.get_logger()


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
        job_lifetime: how long the job may live on the service, in seconds.
        told: whether the pool was told already, before the program of this run died.
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
        job_lifetime: float,
        told: bool = False,
    ) -> None:
        self._job_lifetime = job_lifetime
        self._told = told
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
        if existing is not None and dict(existing.metadata).get(RUN_KEY) == self._plan.run_id:
            return await self._again(existing)
        if existing is not None:
            return await self._reuse(existing)
        image = await self._image()
        theirs = await self._create(image)
        if theirs is not None:
            # Somebody else was faster between our look and our request: the pool is theirs.
            await self._ledger.settle(ResourceKind.POOL, self._plan.pool_id)
            return await self._reuse(theirs)
        return await self._created(f"{image.publisher}/{image.offer}/{image.sku}")

    async def check(self) -> None:
        """Make sure, before anything is staged, that the pool will do: nothing is created or changed.

        Raises:
            PoolError: it does not fit, has to exist and does not, or is being deleted for too long.
            ServiceError, UnreachableError: the service refused or did not answer.
        """
        existing = await self._find()
        if existing is None:
            self._wanted_image()
        elif dict(existing.metadata).get(RUN_KEY) != self._plan.run_id:
            self._refuse_unfit(existing)

    def _wanted_image(self) -> ImageSpec:
        pool_id = self._plan.pool_id
        if self._spec.must_exist:
            raise PoolError("does not exist; create it, or give vm_size and image in [pool]", pool_id=pool_id)
        if self._spec.image is None:
            raise PoolError("does not exist and no image is given to create it with", pool_id=pool_id)
        return self._spec.image

    async def _image(self) -> SupportedImage:
        wanted = self._wanted_image()
        images = await self._batch.supported_images()
        return choose_image(images, wanted, pool_id=self._plan.pool_id, now=utc_now())

    async def _created(self, image: str) -> ReadyPool:
        if not self._told:
            await self._publish(
                PoolCreated(
                    run_id=self._plan.run_id,
                    pool_id=self._plan.pool_id,
                    vm_size=self._spec.vm_size or "",
                    image=image,
                    target_dedicated_nodes=self._spec.target_dedicated_nodes,
                    target_low_priority_nodes=self._spec.target_low_priority_nodes,
                )
            )
        carries = self._application is not None
        return ReadyPool(
            pool_id=self._plan.pool_id,
            application_by=ApplicationBy.START_TASK if carries else ApplicationBy.NOBODY,
        )

    async def _again(self, found: PoolSnapshot) -> ReadyPool:
        """Take the pool that this run had created before its program died."""
        if (carried := dict(found.metadata).get(APPLICATION_KEY)) is not None:
            await self._renew(found, carried)
        machine = found.body.get("virtualMachineConfiguration")
        image = machine.get("imageReference") if isinstance(machine, dict) else None
        told = image if isinstance(image, dict) else {}
        return await self._created("/".join(str(told.get(key, "")) for key in ("publisher", "offer", "sku")))

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
        metadata = await self._marks()
        if self._application is not None:
            metadata[APPLICATION_KEY] = self._application
        body = pool_body(
            self._spec,
            pool_id=self._plan.pool_id,
            image=image,
            start_task=await self._start_task(),
            metadata=metadata,
        )
        if NET_KEY in metadata:
            now = utc_now()
            body = cast(
                body,
                until=now + timedelta(seconds=self._limits.pool_net_time),
                end=now + timedelta(seconds=self._job_lifetime),
                interval=Duration.of(self._limits.pool_net_interval).iso,
            )
        await self._ledger.owe(ResourceKind.POOL, self._plan.pool_id)

        async def create() -> Creation:
            # A request that is cancelled may still be carried out, after clean-up has found nothing: its
            # outcome must be known before the cancellation goes on. `Limits.operation_timeout` bounds it.
            with anyio.CancelScope(shield=True):
                creation = await self._batch.create_pool(body)
            return creation  # noqa: RET504 - to mypy the scope might swallow

        try:
            creation = await self._batch.waiting.through("pool", self._plan.run_id, create)
            if creation is Creation.CREATED:
                return None
        except ConflictError as error:
            if error.code != "PoolExists":
                raise
        found = await self._batch.get_pool(self._plan.pool_id)
        return None if dict(found.metadata).get(RUN_KEY) == self._plan.run_id else found

    async def _marks(self) -> dict[str, str]:
        plan, lifetime = self._plan, self._limits.ownership_lifetime
        marks = ownership_marks(
            run_id=plan.run_id,
            job_id=plan.job_id,
            owner=await self._ledger.owner(),
            until=expiry(plan.spec.cleanup.pool, now=utc_now(), lifetime=lifetime),
        )
        return {**marks, NET_KEY: "on"} if wants_net(plan.spec) else marks

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
        self._refuse_unfit(found)
        carried = dict(found.metadata).get(APPLICATION_KEY)
        if self._application is None:
            by = ApplicationBy.NOBODY
        elif carried == self._application:
            by = ApplicationBy.START_TASK
        else:
            by = ApplicationBy.PREPARATION_TASK
        if carried is not None:
            await self._renew(found, carried)
        if not self._told:
            await self._publish(
                PoolReused(
                    run_id=self._plan.run_id,
                    pool_id=found.id,
                    application=by.value,
                    differences=_differences(found, self._spec),
                )
            )
        return ReadyPool(pool_id=found.id, application_by=by)

    def _refuse_unfit(self, found: PoolSnapshot) -> None:
        wrong = misfits(found.body, self._spec)
        if wrong:
            raise PoolError(f"exists and does not fit: {'; '.join(wrong)}", pool_id=found.id)
        autoscaled = bool(found.body.get("enableAutoScale"))
        if found.target_dedicated_nodes + found.target_low_priority_nodes == 0 and not autoscaled:
            raise PoolError("exists, but has no nodes and none are on their way; resize it", pool_id=found.id)

    async def _renew(self, found: PoolSnapshot, carried: str) -> None:
        """Keep the start task's files within reach, so that nodes that join or reboot later still get them.

        Where their addresses have an end of their own they are signed anew. Files from elsewhere, also in
        this account, are the business of who named them.
        """
        start_task = found.body.get("startTask")
        if not isinstance(start_task, dict):
            return
        lifetime = self._limits.pool_sas_lifetime
        try:
            await self._storage.keep_open(carried, Access.READ, lifetime=lifetime, least=0.9 * lifetime)
        except NotFoundError:
            # Brought again by the run whose application it is; any other does not need it.
            log.warning("pool.application_gone", pool=found.id, container=carried)
        until = utc_now() + timedelta(seconds=lifetime)
        files = []
        for file in start_task.get("resourceFiles") or ():
            ours = self._storage.owns_url(str(file.get("httpUrl", "")))
            if ours is not None and ours[0] == carried:
                signed = await self._storage.read_url(*ours, until=until)
                files.append({**file, "httpUrl": signed.reveal()})
            else:
                files.append(file)
        if files != list(start_task.get("resourceFiles") or ()):
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


def _differences(found: PoolSnapshot, wanted: PoolSpec) -> tuple[str, ...]:
    if wanted.must_exist:
        return ()
    pairs = (
        ("target_dedicated_nodes", found.target_dedicated_nodes, wanted.target_dedicated_nodes),
        ("target_low_priority_nodes", found.target_low_priority_nodes, wanted.target_low_priority_nodes),
    )
    return tuple(f"{name} is {has}, not {asked}" for name, has, asked in pairs if has != asked)
