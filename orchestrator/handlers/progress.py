"""Where a run stands, for whoever shows it."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, ClassVar, TypeVar

import msgspec

from orchestrator.events import (
    DownloadFailed,
    Event,
    InputStaged,
    NodeStateChanged,
    OutputDownloaded,
    OutputsDownloaded,
    PoolChanged,
    RunFinished,
    RunStarted,
    RunStateChanged,
    StagingStarted,
    SubmissionCompleted,
    TaskAbandoned,
    TaskCompleted,
    TaskFailed,
    TasksRejected,
    TasksSubmitted,
    TaskStateChanged,
)
from orchestrator.states import NodeState, RunState, TaskState

_FAILURES_KEPT = 20


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """Where a run stands.

    Args:
        run_state: None before the first.
        started_at: None before `RunStarted`.
        deadline: when the watching ends; None until submission is over.
        files: inputs and application files to stage.
        files_staged: of them, those in their container.
        bytes_staged: their sizes together.
        tasks: how many the run wants.
        tasks_by_state: of the accepted ones.
        tasks_failed: of the completed ones.
        tasks_abandoned: given up before they ended.
        tasks_rejected: refused by the service.
        nodes: how many the pool has.
        target_nodes: how many it should have.
        nodes_by_state: without those that left.
        tasks_downloaded: whose files are all here or given up.
        outputs: files on this disk.
        bytes_downloaded: their sizes together.
        downloads_failed: files that could not be brought here.
        detection_delay: seconds from a task's end, as the service has it, to its event here, on the average;
            it has the difference of the two clocks in it.
        detection_delay_longest: the longest one.
        failures: the last failed tasks, as (task id, what happened).
        finished: whether the run is over, clean-up included.
    """

    run_state: RunState | None = None
    started_at: datetime | None = None
    deadline: datetime | None = None
    files: int = 0
    files_staged: int = 0
    bytes_staged: int = 0
    tasks: int = 0
    tasks_by_state: tuple[tuple[TaskState, int], ...] = ()
    tasks_failed: int = 0
    tasks_abandoned: int = 0
    tasks_rejected: int = 0
    nodes: int = 0
    target_nodes: int = 0
    nodes_by_state: tuple[tuple[NodeState, int], ...] = ()
    tasks_downloaded: int = 0
    outputs: int = 0
    bytes_downloaded: int = 0
    downloads_failed: int = 0
    detection_delay: float = 0.0
    detection_delay_longest: float = 0.0
    failures: tuple[tuple[str, str], ...] = ()
    finished: bool = False


class ProgressHandler:
    """Counts events into a `Progress`; it keeps nothing for a single task.

    Args:
        timeout: of the watching, which begins when submission is over.
        changed: called after each event that changed something; it reads `snapshot` when it wants to.
    """

    name: ClassVar[str] = "progress"
    consumes: ClassVar[tuple[type[Event], ...]] = (
        RunStarted,
        RunStateChanged,
        RunFinished,
        StagingStarted,
        InputStaged,
        PoolChanged,
        NodeStateChanged,
        TasksSubmitted,
        TasksRejected,
        SubmissionCompleted,
        TaskStateChanged,
        TaskAbandoned,
        OutputDownloaded,
        OutputsDownloaded,
        DownloadFailed,
    )
    produces: ClassVar[tuple[type[Event], ...]] = ()

    def __init__(
        self, *, timeout: timedelta | None = None, changed: Callable[[], None] | None = None
    ) -> None:
        self._timeout = timeout
        self._changed = changed
        self._values: dict[str, Any] = {}
        self._counts: Counter[str] = Counter()
        self._tasks: Counter[TaskState] = Counter()
        self._nodes: Counter[NodeState] = Counter()
        self._detected = 0
        self._delays = 0.0
        self._failures: deque[tuple[str, str]] = deque(maxlen=_FAILURES_KEPT)

    @property
    def snapshot(self) -> Progress:
        """Where the run stands now. Any thread may ask, also while the loop counts."""
        # Whoever draws it in a thread of its own (rich does) must not meet a count that changes size under
        # its iteration: everything is copied in one step of the interpreter's, and only the copy is walked.
        return Progress(
            **{**self._values, **self._counts},
            tasks_by_state=_present(dict(self._tasks)),
            nodes_by_state=_present(dict(self._nodes)),
            failures=tuple(self._failures.copy()),
        )

    async def handle(self, event: Event, /) -> None:
        """Count the event."""
        match event:
            case TaskStateChanged() | TasksSubmitted() | TasksRejected() | TaskAbandoned():
                self._count_tasks(event)
            case PoolChanged() | NodeStateChanged():
                self._count_nodes(event)
            case InputStaged() | OutputDownloaded() | OutputsDownloaded() | DownloadFailed():
                self._count_files(event)
            case _:
                self._note_run(event)
        if self._changed is not None:
            self._changed()

    def _note_run(self, event: Event) -> None:
        match event:
            case RunStarted():
                self._values.update(started_at=event.time, tasks=event.tasks, files=event.inputs)
            case RunStateChanged():
                self._values["run_state"] = event.state
            case RunFinished():
                self._values["finished"] = True
            case StagingStarted():
                self._values["files"] = event.files
            case SubmissionCompleted() if self._timeout is not None:
                self._values["deadline"] = event.time + self._timeout
            case _:
                pass

    def _count_tasks(self, event: Event) -> None:
        match event:
            case TasksSubmitted():
                self._tasks[TaskState.ACTIVE] += len(event.task_ids)
            case TasksRejected():
                self._counts["tasks_rejected"] += len(event.rejections)
            case TaskAbandoned():
                self._counts["tasks_abandoned"] += 1
            case TaskStateChanged():
                # A task is active once it is submitted. The first look at it may come before the answer to
                # its submission, which makes a count negative for a moment.
                self._tasks[event.previous or TaskState.ACTIVE] -= 1
                self._tasks[event.state] += 1
                if isinstance(event, TaskCompleted):
                    self._note_delay(event)
                if isinstance(event, TaskFailed):
                    self._counts["tasks_failed"] += 1
                    self._failures.append((event.key.task_id, _told(event)))
            case _:
                pass

    def _note_delay(self, event: TaskCompleted) -> None:
        if event.ended_at is None:
            return
        delay = max((event.time - event.ended_at).total_seconds(), 0.0)
        self._detected += 1
        self._delays += delay
        self._values["detection_delay"] = self._delays / self._detected
        longest = self._values.get("detection_delay_longest", 0.0)
        self._values["detection_delay_longest"] = max(longest, delay)

    def _count_nodes(self, event: Event) -> None:
        match event:
            case PoolChanged():
                self._values.update(nodes=event.current_nodes, target_nodes=event.target_nodes)
            case NodeStateChanged():
                if event.previous is not None:
                    self._nodes[event.previous] -= 1
                if event.state is not NodeState.LEAVING_POOL:
                    self._nodes[event.state] += 1
            case _:
                pass

    def _count_files(self, event: Event) -> None:
        match event:
            case InputStaged():
                self._counts["files_staged"] += 1
                self._counts["bytes_staged"] += event.size
            case OutputDownloaded():
                self._counts["outputs"] += 1
                self._counts["bytes_downloaded"] += event.size
            case OutputsDownloaded():
                self._counts["tasks_downloaded"] += 1
            case DownloadFailed():
                self._counts["downloads_failed"] += 1
            case _:
                pass


_State = TypeVar("_State", TaskState, NodeState)


def _present(counts: dict[_State, int]) -> tuple[tuple[_State, int], ...]:
    return tuple((state, count) for state, count in counts.items() if count > 0)


def _told(event: TaskFailed) -> str:
    ended = "did not start" if event.exit_code is None else f"exit code {event.exit_code}"
    return f"{ended}: {event.failure.code}" if event.failure is not None else ended
