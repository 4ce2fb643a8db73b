"""Joins the built-in handlers of one run to its bus."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import msgspec

from orchestrator.bus import EventBus, Policy
from orchestrator.events import Event, PoolEvent, Publish
from orchestrator.handlers import (
    CleanupHandler,
    CollectHandler,
    DownloadHandler,
    Expectations,
    FailedListHandler,
    Handler,
    LogHandler,
    ProgressHandler,
    TaskOutputs,
)
from orchestrator.results import TaskResult
from orchestrator.runtime.history import RunHistory
from orchestrator.runtime.retaken import Retaken
from orchestrator.runtime.run_ledger import RunLedger
from orchestrator.runtime.shared import Shared
from orchestrator.spec.files import OutputFile, UploadCondition
from orchestrator.spec.ids import output_container
from orchestrator.spec.output_places import expected_results, literal_result
from orchestrator.spec.plan import RunPlan
from orchestrator.spec.task import TaskSettings
from orchestrator.spec.task_set import TaskNumbers
from orchestrator.states import TaskKey


class RunHandlers(msgspec.Struct, frozen=True, kw_only=True):
    """Those handlers of a run that are spoken to directly, and not by events."""

    collect: CollectHandler
    progress: ProgressHandler
    download: DownloadHandler
    cleanup: CleanupHandler
    failed: FailedListHandler

    async def replay(self, events: AsyncIterator[Event], retaken: Retaken) -> None:
        """Bring the handlers to where they were when the run's program died.

        Args:
            events: all of the run's past, in order.
            retaken: what it comes to.
        """
        past = retaken.history
        async for event in events:
            await self.collect.replay(event)
            if isinstance(event, self.failed.consumes):
                await self.failed.handle(event)
            # The pool is looked at anew, and all of it told again.
            if isinstance(event, self.progress.consumes) and not isinstance(event, PoolEvent):
                await self.progress.handle(event)
        self.download.resume(past.downloaded)
        kept = (f"{kind} {name}" for kind, name in past.kept)
        self.cleanup.resume(
            deleted=tuple(f"{kind} {name}" for kind, name in past.deleted),
            kept=tuple(name for name in kept if name not in retaken.owed),
            reused=past.pool_reused is not None,
            undelivered=past.failed_downloads,
        )

    async def bring_again(self, past: RunHistory) -> None:
        """Bring the files of the tasks that had ended, and whose files were not all here."""
        for ended in tuple(past.ended.values()):
            await self.download.handle(ended)

    def stop(self, reason: str) -> None:
        """Give up what is not here and not deleted yet: the result names it."""
        self.download.give_up(reason)
        self.cleanup.stop(reason)


def assemble(
    *,
    plan: RunPlan,
    shared: Shared,
    numbers: TaskNumbers,
    ledger: RunLedger,
    bus: EventBus,
    publish: Publish,
    deliver: Callable[[TaskResult], Awaitable[None]],
) -> RunHandlers:
    """Make the built-in handlers and subscribe each to what it consumes.

    Args:
        plan: of the run.
        shared: with the other runs.
        numbers: of the run's tasks.
        ledger: what the run has created.
        bus: of the run.
        publish: how handlers tell.
        deliver: takes each task's result.

    Returns:
        The handlers that the run speaks to.
    """
    account, limits = shared.account, shared.limits
    expectations = _expectations(numbers)

    def read_task_file(key: TaskKey, path: str) -> AsyncIterator[bytes]:
        return account.batch.read_task_file(key.job_id, key.task_id, path, limit=limits.failure_log_bytes)

    handlers = RunHandlers(
        collect=CollectHandler(publish, deliver, expectations, numbers),
        progress=ProgressHandler(timeout=plan.spec.timeout.timedelta),
        download=DownloadHandler(
            publish,
            storage=account.storage,
            output_container=output_container(plan.run_id),
            download_dir=plan.download_dir,
            job_id=plan.job_id,
            limits=limits,
            expectations=expectations,
            start=shared.start,
            read_task_file=read_task_file,
            threads=shared.threads,
        ),
        cleanup=CleanupHandler(
            publish,
            job_id=plan.job_id,
            pool_id=plan.pool_id,
            has_release=has_release(plan),
            policy=plan.spec.cleanup,
            batch=account.batch,
            storage=account.storage,
            ledger=ledger,
            pools=account.pools,
            ask=shared.ask,
            limits=limits,
        ),
        failed=FailedListHandler(
            folder=plan.download_dir / plan.job_id, input_path=_input_paths(plan, numbers)
        ),
    )
    together: tuple[Handler, ...] = (
        LogHandler(),
        handlers.progress,
        handlers.download,
        handlers.collect,
        handlers.failed,
        handlers.cleanup,
    )
    for handler in together:
        bus.subscribe(handler.handle, handler.consumes, policy=Policy.WAIT, name=handler.name)
    return handlers


def has_release(plan: RunPlan) -> bool:
    """Whether the job has a release task, for which its pool must wait."""
    return plan.spec.release is not None or bool(plan.spec.rest.get("jobReleaseTask"))


def _input_paths(plan: RunPlan, numbers: TaskNumbers) -> Callable[[str], Path | None]:
    def look_up(task_id: str) -> Path | None:
        task = numbers.task(task_id)
        if task is None or task.input_name is None:
            return None
        return plan.inputs[task.inputs[0][0]].path

    return look_up


def _expectations(numbers: TaskNumbers) -> Expectations:
    # Tasks of a factory share their settings, and so what their settings promise.
    promised: dict[int, tuple[tuple[str, ...], tuple[str, ...] | None]] = {}

    def look_up(task_id: str) -> TaskOutputs:
        task = numbers.task(task_id)
        if task is None:
            return TaskOutputs()
        settings = task.spec
        if id(settings) not in promised:
            promised[id(settings)] = _promised(settings), _named(settings)
        expected, names = promised[id(settings)]
        return TaskOutputs(
            input_name=task.input_name,
            expected=expected,
            upload_by=settings.upload,
            names=names,
            logs=settings.logs,
        )

    return look_up


def _promised(settings: TaskSettings) -> tuple[str, ...]:
    """What a task that succeeds leaves for download: not what goes elsewhere, nor what failures leave."""
    outputs = (o if isinstance(o, OutputFile) else OutputFile(pattern=o) for o in settings.output_files)
    return tuple(
        expected_results(output)
        for output in outputs
        if output.container_url is None and output.condition is not UploadCondition.TASK_FAILURE
    )


def _named(settings: TaskSettings) -> tuple[str, ...] | None:
    """The paths that the agent may upload to, where the job file names each: then nothing is listed."""
    if any(member.lower() == "outputfiles" for member in settings.rest):
        return None
    outputs = (o if isinstance(o, OutputFile) else OutputFile(pattern=o) for o in settings.output_files)
    names: list[str] = []
    for output in outputs:
        if output.container_url is None:
            name = literal_result(output)
            if name is None:
                return None
            names.append(name)
    return tuple(names)
