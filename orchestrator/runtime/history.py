"""What a run had done when its program died: a fold over the events that its journal has. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

from orchestrator.events import (
    CleanupCompleted,
    DownloadFailed,
    Event,
    InputStaged,
    JobCreated,
    JobSettled,
    OutputDownloaded,
    OutputsDownloaded,
    PoolCreated,
    PoolReused,
    ResourceDeleted,
    ResourceKept,
    RunFinished,
    RunInterrupted,
    RunStarted,
    RunStateChanged,
    StagingCompleted,
    StagingStarted,
    SubmissionCompleted,
    TaskAbandoned,
    TaskCompleted,
    TaskFailed,
    TaskRequeued,
    TasksRejected,
    TasksSubmitted,
    TaskStateChanged,
)
from orchestrator.states import FailureClass, RunState, TaskState


class RunHistory:
    """The past of one run. Give it every event of the run, in order; one that comes twice changes nothing.

    What it keeps for a task is a name in a set, until the task's end is known and its files are here.

    Attributes:
        last_sequence: of the newest event.
        started_at: None if the run had not begun.
        state: the run's last one.
        running_since: when all tasks were added and the time limit began to count.
        job_created_at: None if the job is not known to have been created.
        pool_told: whether the pool was told as created or as reused.
        staging_started: whether the containers were told.
        staging_completed: whether all files were told as staged.
        application: the application's container, None where there is none or it is not known yet.
        staged: by index, the blob of each input that was told as staged.
        brought: the blobs of the application that were told as staged.
        submission: told when no more tasks would be added.
        accepted: the tasks that the service took.
        rejected: those that it refused.
        looks: the last state of each task that was seen and has not ended, and its count of retries.
        ended: the end of each task whose files are not all here.
        over: the tasks that ended, and whose files are here or given up.
        downloaded: the files of the tasks in `ended` that are here: (path, size).
        abandoned: the tasks that were given up.
        failed: the tasks that ended as failures.
        retried: the tasks that the run let run again, each time, with the class of the failure.
        interruption: what ended the run early.
        settlement: the end of the last task and file.
        deleted: what clean-up deleted, as (kind, id).
        kept: what it left standing.
        cleanup: the end of clean-up.
        finish: the run's last event.
    """

    def __init__(self) -> None:
        self.last_sequence = 0
        self.started_at: datetime | None = None
        self.state: RunState | None = None
        self.running_since: datetime | None = None
        self.job_created_at: datetime | None = None
        self.pool_told = False
        self.pool_reused: PoolReused | None = None
        self.staging_started = False
        self.staging_completed = False
        self.application: str | None = None
        self.staged: dict[int, str] = {}
        self.brought: set[str] = set()
        self.submission: SubmissionCompleted | None = None
        self.accepted: set[str] = set()
        self.rejected: set[str] = set()
        self.looks: dict[str, tuple[TaskState, int]] = {}
        self.ended: dict[str, TaskCompleted] = {}
        self.over: set[str] = set()
        self.downloaded: dict[str, dict[Path, int]] = {}
        self.abandoned: set[str] = set()
        self.failed: set[str] = set()
        self.retried: list[tuple[str, FailureClass]] = []
        self.failed_downloads = 0
        self.interruption: RunInterrupted | None = None
        self.settlement: JobSettled | None = None
        self.deleted: dict[tuple[str, str], None] = {}
        self.kept: dict[tuple[str, str], None] = {}
        self.cleanup: CleanupCompleted | None = None
        self.finish: RunFinished | None = None

    @property
    def unfinished(self) -> list[str]:
        """The accepted tasks that have neither ended nor been given up, by id."""
        return sorted(
            task_id for task_id in self.accepted - self.over - self.abandoned if task_id not in self.ended
        )

    @property
    def completed(self) -> Iterable[str]:
        """The tasks whose end is known."""
        return self.over | self.ended.keys()

    def take(self, event: Event) -> None:
        """Take in the next event; one that is not news changes nothing."""
        if event.sequence <= self.last_sequence:
            return
        self.last_sequence = event.sequence
        match event:
            case TaskStateChanged() | OutputDownloaded() | OutputsDownloaded() | TaskAbandoned():
                self._task(event)
            case InputStaged() | StagingStarted() | StagingCompleted():
                self._staging(event)
            case TasksSubmitted():
                self.accepted.update(event.task_ids)
            case TasksRejected():
                self.rejected.update(task_id for task_id, _, _ in event.rejections)
            case SubmissionCompleted():
                self.submission = self.submission or event
            case JobCreated():
                self.job_created_at = event.time
            case PoolCreated():
                self.pool_told = True
            case PoolReused():
                self.pool_told, self.pool_reused = True, event
            case DownloadFailed():
                self.failed_downloads += 1
            case _:
                self._run(event)

    def _run(self, event: Event) -> None:
        match event:
            case RunStarted():
                self.started_at = event.time
            case RunStateChanged():
                self.state = event.state
                if event.state is RunState.RUNNING:
                    self.running_since = self.running_since or event.time
            case RunInterrupted():
                self.interruption = self.interruption or event
            case JobSettled():
                self.settlement = event
            case ResourceDeleted():
                self.deleted[event.kind, event.id] = None
            case ResourceKept():
                self.kept[event.kind, event.id] = None
            case CleanupCompleted():
                self.cleanup = event
            case RunFinished():
                self.finish = event
            case _:
                pass

    def _staging(self, event: Event) -> None:
        match event:
            case StagingStarted():
                self.staging_started = True
                # The run's own two, then that of its application, if it has one.
                self.application = next(iter(event.containers[2:]), None)
            case StagingCompleted():
                self.staging_completed = True
            case InputStaged(index=None):
                self.brought.add(event.blob)
            case InputStaged(index=int(index)):
                self.staged[index] = event.blob
            case _:
                pass

    def _task(self, event: Event) -> None:
        match event:
            case TaskCompleted():
                task_id = event.key.task_id
                self.looks.pop(task_id, None)
                if isinstance(event, TaskFailed):
                    self.failed.add(task_id)
                if task_id not in self.over:
                    self.ended.setdefault(task_id, event)
            case TaskStateChanged():
                if isinstance(event, TaskRequeued) and event.reason is not None:
                    self.retried.append((event.key.task_id, event.reason))
                self.looks[event.key.task_id] = event.state, event.retry_count
            case OutputDownloaded():
                self.downloaded.setdefault(event.key.task_id, {})[event.path] = event.size
            case OutputsDownloaded():
                self.ended.pop(event.key.task_id, None)
                self.downloaded.pop(event.key.task_id, None)
                self.over.add(event.key.task_id)
            case TaskAbandoned():
                self.looks.pop(event.key.task_id, None)
                self.abandoned.add(event.key.task_id)
            case _:
                pass
