"""Brings each task's files to this disk as soon as the task has ended."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Container, Mapping
from pathlib import Path
from traceback import format_exception
from typing import ClassVar

import anyio
import structlog

from orchestrator.errors import OrchestratorError
from orchestrator.events import (
    DownloadFailed,
    Event,
    OutputDownloaded,
    OutputsDownloaded,
    Publish,
    TaskCompleted,
)
from orchestrator.file_threads import FileThreads
from orchestrator.handlers.brought_before import BroughtBefore
from orchestrator.handlers.expectations import Expectations, leaves_nothing
from orchestrator.handlers.result_files import ResultFiles
from orchestrator.handlers.running_logs import bring_running_logs
from orchestrator.handlers.stale_results import remove_stale
from orchestrator.handlers.task_fetch import OutputStorage, ReadTaskFile, TaskFetch
from orchestrator.handlers.task_listing import TaskListing
from orchestrator.limits import Limits
from orchestrator.states import TaskKey

_log = structlog.get_logger()

# Ends of tasks that leave no files are told so many together: each for itself would wait for the journal.
_TOLD_TOGETHER = 200

EVERYTHING = "*"
"""The name under which `missing` speaks of a task's files as a whole."""


class DownloadHandler:
    """Downloads the outputs of each completed task, several tasks and files at once.

    The blob `{task_id}/PATH` becomes the file `{download_dir}/{job_id}/{task_id}/PATH`. For each
    `TaskCompleted` exactly one `OutputsDownloaded` is published, whatever went wrong.

    `handle` only starts the work, and waits while `Limits.downloads` tasks are under way; `idle` waits for
    the end of what was started, which draining the bus does not.

    Args:
        publish: for the events of each file and task.
        storage: where the outputs are.
        output_container: the blobs' container.
        download_dir: of the job file.
        job_id: whose tasks they are.
        limits: for `downloads` and `failure_log_bytes`.
        expectations: looks up what a task should leave.
        start: runs a coroutine function, under a name, in the owner's task group.
        read_task_file: reads the logs of a failed task from its node where it uploaded none.
        threads: for the disk, shared by many runs; its own by default.
    """

    name: ClassVar[str] = "download"
    consumes: ClassVar[tuple[type[Event], ...]] = (TaskCompleted,)
    produces: ClassVar[tuple[type[Event], ...]] = (OutputDownloaded, DownloadFailed, OutputsDownloaded)

    def __init__(
        self,
        publish: Publish,
        *,
        storage: OutputStorage,
        output_container: str,
        download_dir: Path,
        job_id: str,
        limits: Limits,
        expectations: Expectations,
        start: Callable[[Callable[[], Awaitable[None]], str], None],
        read_task_file: ReadTaskFile | None = None,
        threads: FileThreads | None = None,
    ) -> None:
        self._publish = publish
        self._storage = storage
        self._container = output_container
        self._listing = TaskListing(storage, output_container)
        self._files = ResultFiles(download_dir, job_id)
        self._threads = threads or FileThreads(limits.downloads)
        self._owns_threads = threads is None
        self._limits = limits
        self._expectations = expectations
        self._start = start
        self._read_task_file = read_task_file
        # Twice as many: while some write what came, the others keep all places busy.
        self._tasks = anyio.Semaphore(2 * limits.downloads, fast_acquire=True)
        self._slots = anyio.Semaphore(limits.downloads, fast_acquire=True)
        self._scopes: set[anyio.CancelScope] = set()
        self._under_way: set[str] = set()
        self._none_under_way = anyio.Event()
        self._none_under_way.set()
        self._without_files: list[TaskCompleted] = []
        self._telling = False
        self._told = anyio.Event()
        self._given_up: str | None = None
        self._job_id = job_id
        self._before: Mapping[str, Mapping[Path, int]] | None = None

    @property
    def pending(self) -> int:
        """How many tasks' downloads are not over."""
        return len(self._under_way)

    async def idle(self) -> None:
        """Wait until the downloads of every task handled so far are over."""
        while self._under_way:
            await self._none_under_way.wait()

    async def aclose(self) -> None:
        """Close the folder of results; for when the run is over."""
        await self._threads.run(self._files.close)
        if self._owns_threads:
            self._threads.close()

    def give_up(self, reason: str) -> None:
        """Stop downloading: what is not here is missing for this reason, now and for tasks still to come."""
        self._given_up = self._given_up or reason
        for scope in self._scopes:
            scope.cancel()

    def resume(self, downloaded: Mapping[str, Mapping[Path, int]]) -> None:
        """Go on with the downloads of a run whose program died.

        Args:
            downloaded: by task, the files that were told as here, and their sizes, of those tasks whose
                files are not all here.
        """
        self._before = downloaded

    async def sweep(self, tasks: Container[str]) -> None:
        """Remove what earlier runs of this job have left here for tasks that it has no longer.

        Args:
            tasks: the ids of those that it has.

        Raises:
            OSError: the folder of results can't be read.
        """
        removed = await self._threads.run(lambda: remove_stale(self._files.folder, tasks))
        if removed:
            _log.info("results.stale_removed", job=self._job_id, files=len(removed), first=removed[0])

    async def bring_logs(self, task_ids: Collection[str]) -> dict[str, tuple[Path, ...]]:
        """Bring what the commands of tasks that are given up have written so far, from their nodes.

        Args:
            task_ids: tasks that are running.

        Returns:
            By task, the files that came; what does not come in `Limits.abandoned_log_time` is left there.
        """
        brought: dict[str, tuple[Path, ...]] = {}
        if self._read_task_file is None or not task_ids:
            return brought
        read, waiting = self._read_task_file, iter(sorted(task_ids))

        async def work() -> None:
            for task_id in waiting:  # shared by all: next() never awaits
                try:
                    folder = self._files.task(task_id)
                    brought[task_id] = await bring_running_logs(
                        TaskKey(self._job_id, task_id),
                        folder=folder,
                        read=read,
                        threads=self._threads,
                        limits=self._limits,
                    )
                except OrchestratorError as error:
                    _log.info("download.no_log", job=self._job_id, task=task_id, error=str(error))

        with anyio.move_on_after(self._limits.abandoned_log_time):
            async with anyio.create_task_group() as group:
                for _ in range(min(self._limits.downloads, len(task_ids))):
                    group.start_soon(work)
        return brought

    async def handle(self, event: Event, /) -> None:
        """Start to bring the files of a task that has ended."""
        if not isinstance(event, TaskCompleted) or event.key.task_id in self._under_way:
            return
        task_id = event.key.task_id
        if not self._under_way:
            self._none_under_way = anyio.Event()
        self._under_way.add(task_id)
        if leaves_nothing(event, self._expectations(task_id)):
            await self._tell_with_others(event)
            return
        try:
            await self._tasks.acquire()
        except BaseException:
            self._over(task_id)
            raise
        self._start(lambda: self._bring(event), f"outputs of task {task_id}")

    async def _tell_with_others(self, event: TaskCompleted) -> None:
        """Put the end of a task without files to those that are told next; waits while too many wait."""
        self._without_files.append(event)
        if not self._telling:
            self._telling = True
            self._start(self._tell_waiting, "ends of tasks without files")
        while self._telling and len(self._without_files) >= _TOLD_TOGETHER:
            await self._told.wait()

    async def _tell_waiting(self) -> None:
        try:
            while self._without_files:
                events, self._without_files = self._without_files, []
                self._free_who_wait()
                try:
                    ends = (OutputsDownloaded(run_id=e.run_id, key=e.key, outputs=(), size=0) for e in events)
                    await self._publish(*ends)
                finally:
                    for event in events:
                        self._over(event.key.task_id)
        finally:
            self._telling = False
            self._free_who_wait()

    def _free_who_wait(self) -> None:
        self._told.set()
        self._told = anyio.Event()

    async def _bring(self, event: TaskCompleted) -> None:
        fetch: TaskFetch | None = None
        trouble: str | None = None
        try:
            with anyio.CancelScope() as scope:
                self._scopes.add(scope)
                if self._given_up is not None:
                    scope.cancel()
                try:
                    fetch = self._fetch(event)
                    await fetch.run()
                except OrchestratorError as error:
                    trouble = str(error)
                except Exception as error:
                    # The border: a task whose files never come to an end would keep the run from settling.
                    # Formatted plainly: structlog's own rendering of a traceback looks at files.
                    told = "".join(format_exception(error))
                    _log.error("download.broken", run=event.run_id, task=event.key.task_id, traceback=told)
                    trouble = f"{type(error).__name__}: {error}"
            if scope.cancelled_caught:
                trouble = self._given_up
            await self._tell_end(event, fetch, trouble)
        finally:
            self._scopes.discard(scope)
            self._tasks.release()
            self._over(event.key.task_id)

    def _fetch(self, event: TaskCompleted) -> TaskFetch:
        folder = self._files.task(event.key.task_id)
        before: BroughtBefore | None = None
        if self._before is not None:
            before = BroughtBefore(
                folder,
                threads=self._threads,
                storage=self._storage,
                container=self._container,
                told=self._before.get(event.key.task_id, {}),
            )
        return TaskFetch(
            event,
            folder=folder,
            storage=self._storage,
            container=self._container,
            listing=self._listing,
            wanted=self._expectations(event.key.task_id),
            publish=self._publish,
            limits=self._limits,
            slots=self._slots,
            threads=self._threads,
            read_task_file=self._read_task_file,
            before=before,
        )

    async def _tell_end(self, event: TaskCompleted, fetch: TaskFetch | None, trouble: str | None) -> None:
        run_id, key = event.run_id, event.key
        missing = list(fetch.missing) if fetch is not None else []
        news: list[Event] = list(fetch.untold) if fetch is not None else []
        if trouble is not None:
            missing.append((EVERYTHING, trouble))
            news.append(DownloadFailed(run_id=run_id, key=key, name=EVERYTHING, reason=trouble))
        await self._publish(
            *news,
            OutputsDownloaded(
                run_id=run_id,
                key=key,
                outputs=tuple(fetch.outputs) if fetch is not None else (),
                size=fetch.size if fetch is not None else 0,
                missing=tuple(missing),
            ),
        )

    def _over(self, task_id: str) -> None:
        self._under_way.discard(task_id)
        if not self._under_way:
            self._none_under_way.set()
