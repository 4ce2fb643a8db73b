"""A run's tasks and where they are: a fold over its events, as JSON, in the order of the journal. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from orchestrator.daemon.advice import advice
from orchestrator.states import FailureClass, FailureInfo
from orchestrator.tracker.failure_class import classify


class TaskRow(msgspec.Struct, kw_only=True, omit_defaults=True):
    """A task as a client is shown it.

    Args:
        state: the service's word, or `rejected` or `abandoned`, which are ours.
        succeeded: None before it has ended.
        outputs: whether everything it left is on the disk, or given up.
        missing: names of outputs that could not be brought here, with the reason.
        failure_class: whose doing a failure is.
        remedy: what to do about it.
    """

    task_id: str
    state: str
    node_id: str | None = None
    retry_count: int = 0
    exit_code: int | None = None
    succeeded: bool | None = None
    failure: FailureInfo | None = None
    reason: str | None = None
    started_at: str | None = None
    ended_at: str | None = None
    outputs: bool = False
    missing: tuple[tuple[str, str], ...] = ()
    failure_class: FailureClass | None = None
    remedy: str = ""


class TaskTable:
    """The tasks of one run, in the order in which they were added.

    Attributes:
        job_id: of the run's job; empty before the run began.
        cursor: number of the last event that was folded in.
    """

    def __init__(self) -> None:
        self.job_id = ""
        self.cursor = 0
        self._rows: dict[str, TaskRow] = {}

    def __len__(self) -> int:
        return len(self._rows)

    def fold(self, number: int, event: str, body: bytes) -> None:
        """Take account of one event; one that came before changes nothing.

        Args:
            number: its place in the journal.
            event: the name of its class.
            body: the event as JSON.
        """
        if number <= self.cursor:
            return
        self.cursor = number
        fold = _FOLDS.get(event)
        if fold is not None:
            fold(self, msgspec.json.decode(body))

    def get(self, task_id: str) -> TaskRow | None:
        """A task, None if it was not added (yet)."""
        return self._rows.get(task_id)

    def page(self, *, state: str | None, after: str | None, limit: int) -> tuple[TaskRow, ...]:
        """Tasks in the order in which they were added.

        Args:
            state: only in this one; `failed` and `succeeded` for how they ended.
            after: the last task of the page before.
            limit: the most.
        """
        found: list[TaskRow] = []
        begun = after is None
        for row in self._rows.values():
            if begun and (state is None or state in _states(row)):
                found.append(row)
                if len(found) == limit:
                    break
            begun = begun or row.task_id == after
        return tuple(found)

    def failed(self) -> tuple[str, ...]:
        """The tasks that failed, were refused or were given up."""
        return tuple(row.task_id for row in self._rows.values() if row.succeeded is False)

    def _row(self, task_id: str) -> TaskRow:
        return self._rows.setdefault(task_id, TaskRow(task_id=task_id, state="active"))

    def _started(self, event: dict[str, Any]) -> None:
        self.job_id = event["job_id"]

    def _submitted(self, event: dict[str, Any]) -> None:
        for task_id in event["task_ids"]:
            self._row(task_id)

    def _rejected(self, event: dict[str, Any]) -> None:
        for task_id, code, reason in event["rejections"]:
            row = self._row(task_id)
            row.state, row.succeeded, row.reason = "rejected", False, f"{code}: {reason}"

    def _abandoned(self, event: dict[str, Any]) -> None:
        row = self._row(event["key"]["task_id"])
        row.state, row.succeeded, row.reason = "abandoned", False, event["reason"]

    def _changed(self, event: dict[str, Any]) -> None:
        row = self._row(event["key"]["task_id"])
        row.state = event["state"]
        row.node_id = event.get("node_id") or row.node_id
        row.retry_count = event.get("retry_count", 0)
        if event["event"] in {"TaskSucceeded", "TaskFailed"}:
            row.succeeded = event["event"] == "TaskSucceeded"
            row.exit_code = event.get("exit_code")
            row.started_at, row.ended_at = event.get("started_at"), event.get("ended_at")
            failure = event.get("failure")
            row.failure = msgspec.convert(failure, FailureInfo) if failure else None
            if not row.succeeded:
                row.failure_class = classify(row.failure)
                row.remedy = advice(row.failure_class, row.failure, row.exit_code)

    def _downloaded(self, event: dict[str, Any]) -> None:
        row = self._row(event["key"]["task_id"])
        row.outputs = True
        row.missing = tuple((name, reason) for name, reason in event.get("missing", ()))


_FOLDS = {
    "RunStarted": TaskTable._started,  # noqa: SLF001 - this class's own
    "TasksSubmitted": TaskTable._submitted,  # noqa: SLF001
    "TasksRejected": TaskTable._rejected,  # noqa: SLF001
    "TaskAbandoned": TaskTable._abandoned,  # noqa: SLF001
    "OutputsDownloaded": TaskTable._downloaded,  # noqa: SLF001
    **dict.fromkeys(
        ("TaskStateChanged", "TaskStarted", "TaskRequeued", "TaskSucceeded", "TaskFailed"),
        TaskTable._changed,  # noqa: SLF001
    ),
}


def _states(row: TaskRow) -> Iterator[str]:
    yield row.state
    if row.succeeded is not None:
        yield "succeeded" if row.succeeded else "failed"
