"""Everything of a run before its tasks are added: stages in their order, one's values given to the next."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import anyio

from orchestrator.accounts.account import Account
from orchestrator.accounts.bodies import hook_body, job_body, resource_file_body
from orchestrator.errors import OrchestratorError
from orchestrator.events import JobCreated, Publish, utc_now
from orchestrator.limits import Limits
from orchestrator.runtime.history import RunHistory
from orchestrator.runtime.horizon import address_lifetime, longest, wall_clock
from orchestrator.runtime.run_access import access_of_run, provide_and_open
from orchestrator.runtime.taking_up import has_job, pack_again, settled_tasks, staged_before, wanted_inputs
from orchestrator.spec.command import expand_commands, wrap_in_shell
from orchestrator.spec.duration import Duration
from orchestrator.spec.ids import input_container, output_container
from orchestrator.spec.job import JobHookSpec
from orchestrator.spec.marks import APPLICATION_KEY, expiry, ownership_marks
from orchestrator.spec.plan import RunPlan, TaskInput
from orchestrator.spec.resolve import resolve
from orchestrator.spec.secret import SecretReference, SecretText
from orchestrator.stages.arrivals import Arrivals
from orchestrator.stages.job import create_job
from orchestrator.stages.ledger import Ledger
from orchestrator.stages.node_commands import INCOMING, install_script
from orchestrator.stages.pool import ApplicationBy, PoolStage, ReadyPool, still_there
from orchestrator.stages.renewal import AccessRenewal
from orchestrator.stages.staging import Arrival, Staging, StagingPlaces, application_blobs
from orchestrator.stages.submit import TaskBody
from orchestrator.stages.task_bodies import TaskBodies, remote_files, resolve_all

_ORDER = "stage() comes first"


class RunPreparation:
    """Calls the stages before submission, and keeps what they return.

    Args:
        plan: of the run.
        account: where.
        ledger: what is created is written there first.
        publish: told of everything.
        limits: the numbers.
        environ: where `env:NAME` references are looked up.
        past: what the run had done before its program died; None for a run that begins.
    """

    def __init__(
        self,
        *,
        plan: RunPlan,
        account: Account,
        ledger: Ledger,
        publish: Publish,
        limits: Limits,
        environ: Mapping[str, str],
        past: RunHistory | None = None,
    ) -> None:
        self._plan = plan
        self._resumed = past is not None
        self._past = past or RunHistory()
        self._account = account
        self._ledger = ledger
        self._publish = publish
        self._limits = limits
        self._environ = environ
        self._job_created_at = self._past.job_created_at
        self._job_exists = False
        self._places: StagingPlaces | None = None
        self._staging: Staging | None = None
        self._job_files: dict[int, str] = {}
        # Bounded, so that uploads wait for the submission they feed, and memory does not grow with the run.
        self._send, receive = anyio.create_memory_object_stream[Arrival](limits.tasks_per_request)
        self._arrivals = Arrivals(receive)
        self._wall_clock = wall_clock(plan.spec)
        self._longest = longest(plan.spec, limits)  # see `last_change`
        self._access: AccessRenewal | None = None

    async def stage(self) -> None:
        """Bring what pool and job need: the containers, the application, the files of the job's own tasks.

        Raises:
            OrchestratorError: somebody else's job of that id exists, this run's own is gone since its program
                died, the pool does not fit, a file can't be read, or the account refuses.
        """
        plan = self._plan
        self._job_exists = await has_job(plan, self._past, self._account.batch, self._limits)
        await self._pool_stage().check()
        start_files = tuple(
            (plan.inputs[index].path, file_path, file_mode)
            for index, file_path, file_mode in plan.start_task_inputs
        )
        self._places = StagingPlaces(
            input_container=input_container(plan.run_id),
            output_container=output_container(plan.run_id),
            application=await pack_again(plan, self._past, start_files),
        )
        self._staging = Staging(
            plan=plan,
            places=self._places,
            storage=self._account.storage,
            publish=self._publish,
            limits=self._limits,
            before=staged_before(self._past) if self._resumed else None,
        )
        await self._staging.open(self._ledger)
        self._access = self._renewal(self._places)
        await self._access.open()
        await self._staging.bring_application()
        own = (*plan.preparation_inputs, *plan.release_inputs)
        early = [] if self._job_exists else sorted({index for index, _, _ in own})
        send, receive = anyio.create_memory_object_stream[Arrival](len(early))
        arrivals = Arrivals(receive)
        await self._staging.bring_inputs(early, send, last=False)
        self._job_files = {index: await arrivals.blob(index) for index in early}
        arrivals.close()

    async def stage_inputs(self) -> None:
        """Bring the tasks' inputs, as fast as the tasks are asked for: run it beside the rest.

        Raises:
            OrchestratorError: a file can't be read, or the account refuses.
        """
        if self._staging is None:
            raise OrchestratorError(_ORDER)
        wanted = wanted_inputs(self._plan, self._past)
        indexes = (index for index in wanted if index not in self._job_files)
        await self._staging.bring_inputs(indexes, self._send)

    async def rejoin(self) -> None:
        """In place of `stage`, for a run whose tasks have all been added: make sure of the job.

        Raises:
            OrchestratorError: the job is gone, or the account refuses.
        """
        self._job_exists = await has_job(self._plan, self._past, self._account.batch, self._limits)
        self._places = StagingPlaces(
            input_container=input_container(self._plan.run_id),
            output_container=output_container(self._plan.run_id),
            application=None,
        )
        self._access = self._renewal(self._places)
        await self._access.open()

    async def keep_access(self) -> None:
        """Keep the addresses in the tasks working, until cancelled: run it beside the rest."""
        if self._access is None:
            raise OrchestratorError(_ORDER)
        await self._access.run()

    def reasons(self) -> tuple[str, ...]:
        """What may keep tasks from their files, for the story of a run that does not end."""
        return self._access.reasons() if self._access is not None else ()

    def close(self) -> None:
        """Let go of what staging and submission hold between them."""
        self._send.close()
        self._arrivals.close()

    async def provision(self) -> None:
        """Make sure of the pool, create the job on it, and wait until the addresses of the files work.

        Raises:
            OrchestratorError: the pool does not fit or goes away meanwhile, or the account refuses.
        """
        if self._access is None:
            raise OrchestratorError(_ORDER)
        await provide_and_open(self._provide, self._access, self._known)

    async def _provide(self) -> None:
        pool = await self._pool_stage().ensure()
        if self._staging is not None and pool.application_by is ApplicationBy.START_TASK:
            await self._staging.bring_application()
        if not self._job_exists:
            await create_job(
                run_id=self._plan.run_id,
                body=await self._job_body(pool),
                batch=self._account.batch,
                ledger=self._ledger,
                publish=self._publish,
            )
        elif self._job_created_at is None:
            # Its program died between the answer and writing it down.
            await self._publish(
                JobCreated(run_id=self._plan.run_id, job_id=self._plan.job_id, pool_id=pool.pool_id)
            )
        self._job_created_at = self._job_created_at or utc_now()
        await still_there(pool_id=pool.pool_id, batch=self._account.batch)
        if self._staging is not None and pool.application_by is ApplicationBy.PREPARATION_TASK:
            await self._staging.bring_application()  # as above: only now the job names its container

    def last_change(self) -> dict[str, Any]:
        """The change of the job that is due once its last task was added.

        It may end by itself from now on; set earlier, a job whose first tasks end quickly would end before
        the others are added. And the time that staging was given is taken back, so that the job's limit
        counts from now. The service replaces `constraints` whole, so all of it is given. With `retries` the
        job must not end by itself: tasks of an ended job can't be reactivated.
        """
        retries = any(self._plan.spec.retries.allowed().values())
        change: dict[str, Any] = {} if retries else {"onAllTasksComplete": "terminatejob"}
        if "constraints" not in self._plan.spec.rest:
            staged_for = max((utc_now() - (self._job_created_at or utc_now())).total_seconds(), 0)
            change["constraints"] = {
                "maxWallClockTime": Duration.of(round(staged_for + self._wall_clock.seconds)).iso,
                "maxTaskRetryCount": self._plan.spec.max_task_retry_count,
            }
        return change

    def _pool_stage(self) -> PoolStage:
        places = self._places
        application = places.application if places is not None else None
        return PoolStage(
            plan=self._plan,
            batch=self._account.batch,
            storage=self._account.storage,
            ledger=self._ledger,
            publish=self._publish,
            limits=self._limits,
            start_command=self._start_command() if places is not None else None,
            start_environment=self._start_environment() if places is not None else {},
            application=application.container if application else None,
            start_files=self._start_files,
            job_lifetime=self._longest.seconds,
            told=self._past.pool_told,
        )

    def task_bodies(self) -> AsyncIterator[TaskBody | None]:
        """The tasks, ready to be sent; None before one that has to be waited for."""
        bodies = TaskBodies(
            plan=self._plan,
            places=self._known,
            blob=self._blob,
            ready=lambda index: index in self._job_files or self._arrivals.has(index),
            storage=self._account.storage,
            resolve=self._resolve,
            until=self._horizon(),
            without=settled_tasks(self._past),
        )
        return aiter(bodies)

    async def _blob(self, index: int) -> str:
        return self._job_files.get(index) or await self._arrivals.blob(index)

    @property
    def _known(self) -> StagingPlaces:
        if self._places is None:
            raise OrchestratorError(_ORDER)
        return self._places

    def _resolve(self, value: str | SecretReference) -> SecretText:
        return resolve(value, self._environ, Path(self._plan.spec.base_dir))

    def _commands(self, commands: tuple[str, ...]) -> tuple[str, ...]:
        application = self._known.application
        return expand_commands(
            commands,
            run_id=self._plan.run_id,
            application_folder=application.folder if application else None,
        )

    def _horizon(self) -> datetime:
        """When addresses may stop working: the job can't outlive its wall clock; then clean-up follows."""
        return utc_now() + timedelta(seconds=address_lifetime(self._plan.spec, self._limits))

    def _renewal(self, places: StagingPlaces) -> AccessRenewal:
        return access_of_run(
            places,
            plan=self._plan,
            storage=self._account.storage,
            publish=self._publish,
            limits=self._limits,
            past=self._past,
        )

    async def _application_files(self, until: datetime, *, for_start_task: bool) -> list[dict[str, Any]]:
        application = self._known.application
        if application is None:
            return []
        files = []
        for blob, packed in application_blobs(application):
            if packed.for_start_task and not for_start_task:
                continue
            url = await self._account.storage.read_url(application.container, blob, until=until)
            place = packed.name if packed.for_start_task else f"{INCOMING}/{packed.name}"
            files.append(resource_file_body(http_url=url, file_path=place, file_mode=packed.file_mode))
        return files

    def _start_command(self) -> str | None:
        """The start task's command line, None where no start task is needed."""
        start, application = self._plan.spec.pool.start_task, self._known.application
        if start is None and application is None:
            return None
        commands = self._commands(start.commands) if start else ()
        return wrap_in_shell(install_script(commands, application.folder if application else None))

    def _start_environment(self) -> dict[str, SecretText]:
        start = self._plan.spec.pool.start_task
        return resolve_all(start.environment, self._resolve) if start else {}

    async def _start_files(self, until: datetime) -> list[dict[str, Any]]:
        files = await self._application_files(until, for_start_task=True)
        start = self._plan.spec.pool.start_task
        if start is not None:
            files.extend(remote_files(start.resource_files, self._resolve))
        return files

    async def _job_body(self, pool: ReadyPool) -> dict[str, Any]:
        spec = self._plan.spec
        lifetime = self._limits.ownership_lifetime
        marks = ownership_marks(
            run_id=self._plan.run_id,
            job_id=self._plan.job_id,
            owner=await self._ledger.owner(),
            until=expiry(spec.cleanup.job, now=utc_now(), lifetime=lifetime),
        )
        if self._known.application is not None:
            marks[APPLICATION_KEY] = self._known.application.container
        return job_body(
            job_id=self._plan.job_id,
            pool_id=pool.pool_id,
            priority=spec.priority,
            max_wall_clock_time=self._longest,
            max_task_retry_count=spec.max_task_retry_count,
            environment=resolve_all(spec.environment, self._resolve),
            preparation=await self._preparation(pool),
            release=await self._release(),
            metadata=marks,
            rest=spec.rest,
        )

    async def _preparation(self, pool: ReadyPool) -> dict[str, Any] | None:
        spec = self._plan.spec
        hook = spec.preparation
        brings = pool.application_by is ApplicationBy.PREPARATION_TASK
        application = self._known.application
        folder = application.folder if application and brings else None
        if hook is None and folder is None:
            # The service runs a release task only where a preparation task ran (REST: Job - Add).
            if spec.release is None:
                return None
            hook = JobHookSpec(commands=())
        until = self._horizon()
        files = await self._application_files(until, for_start_task=False) if folder else []
        if hook is not None:
            files.extend(await self._staged_files(self._plan.preparation_inputs, until))
            files.extend(remote_files(hook.resource_files, self._resolve))
        return hook_body(
            wrap_in_shell(install_script(self._commands(hook.commands if hook else ()), folder)),
            files,
            resolve_all(hook.environment, self._resolve) if hook else {},
            # Copying below the node's shared directory needs no administrator there; who asks gets one.
            elevated=hook.elevated if hook else False,
            rest=hook.rest if hook else None,
        )

    async def _release(self) -> dict[str, Any] | None:
        hook = self._plan.spec.release
        if hook is None:
            return None
        files = await self._staged_files(self._plan.release_inputs, self._horizon())
        files.extend(remote_files(hook.resource_files, self._resolve))
        return hook_body(
            wrap_in_shell(install_script(self._commands(hook.commands), None)),
            files,
            resolve_all(hook.environment, self._resolve),
            elevated=hook.elevated,
            rest=hook.rest,
        )

    async def _staged_files(self, inputs: tuple[TaskInput, ...], until: datetime) -> list[dict[str, Any]]:
        files = []
        for index, file_path, file_mode in inputs:
            url = await self._account.storage.read_url(
                self._known.input_container, self._job_files[index], until=until
            )
            files.append(resource_file_body(http_url=url, file_path=file_path, file_mode=file_mode))
        return files
