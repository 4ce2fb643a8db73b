"""A run's tasks and where they are: a fold over its events, as JSON, in the order of the journal. Pure."""

from __future__ import annotations

from datetime import datetime
from typing import Final

import msgspec

from orchestrator.daemon.advice import advice
from orchestrator.daemon.name_numbers import NameNumbers
from orchestrator.daemon.task_columns import TaskColumns
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
    started_at: datetime | None = None
    ended_at: datetime | None = None
    outputs: bool = False
    missing: tuple[tuple[str, str], ...] = ()
    failure_class: FailureClass | None = None
    remedy: str = ""


class _Started(msgspec.Struct):
    job_id: str
    tasks: int = 0


class _Submitted(msgspec.Struct):
    task_ids: list[str]


class _Rejected(msgspec.Struct):
    rejections: list[tuple[str, str, str]]


class _Key(msgspec.Struct):
    task_id: str


class _Abandoned(msgspec.Struct):
    key: _Key
    reason: str


class _Changed(msgspec.Struct):
    key: _Key
    state: str
    node_id: str | None = None
    retry_count: int = 0
    exit_code: int | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    failure: FailureInfo | None = None


class _Downloaded(msgspec.Struct):
    key: _Key
    missing: tuple[tuple[str, str], ...] = ()


# Of an event only what is kept is read.
_STARTED: Final = msgspec.json.Decoder(_Started)
_SUBMITTED: Final = msgspec.json.Decoder(_Submitted)
_REJECTED: Final = msgspec.json.Decoder(_Rejected)
_ABANDONED: Final = msgspec.json.Decoder(_Abandoned)
_CHANGED: Final = msgspec.json.Decoder(_Changed)
_DOWNLOADED: Final = msgspec.json.Decoder(_Downloaded)
_ENDED: Final = {"TaskSucceeded": True, "TaskFailed": False}


class TaskTable:
    """The tasks of one run, in some sixty bytes each; a row is made when it is asked for.

    Attributes:
        job_id: of the run's job; empty before the run began.
        cursor: number of the last event that was folded in.
    """

    def __init__(self) -> None:
        self.job_id = ""
        self.cursor = 0
        self._names = NameNumbers()
        self._columns = TaskColumns()

    def __len__(self) -> int:
        return len(self._names)

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
        match event:
            case "TaskStateChanged" | "TaskStarted" | "TaskRequeued" | "TaskSucceeded" | "TaskFailed":
                self._changed(_CHANGED.decode(body), ended=_ENDED.get(event))
            case "OutputsDownloaded":
                downloaded = _DOWNLOADED.decode(body)
                place = self._place(downloaded.key.task_id)
                self._columns.brought(place)
                if downloaded.missing:
                    self._columns.note(place, missing=downloaded.missing)
            case "TasksSubmitted":
                self._columns.reach(
                    max(map(self._names.number, _SUBMITTED.decode(body).task_ids), default=-1)
                )
            case "TasksRejected":
                for task_id, code, reason in _REJECTED.decode(body).rejections:
                    self._give_up(task_id, "rejected", f"{code}: {reason}")
            case "TaskAbandoned":
                abandoned = _ABANDONED.decode(body)
                self._give_up(abandoned.key.task_id, "abandoned", abandoned.reason)
            case "RunStarted":
                started = _STARTED.decode(body)
                self.job_id = started.job_id
                self._names.expect(started.tasks)
            case _:
                pass

    def get(self, task_id: str) -> TaskRow | None:
        """A task, None if it was not added (yet)."""
        place = self._names.find(task_id)
        return None if place is None else self._row(place)

    def page(self, *, state: str | None, after: str | None, limit: int) -> tuple[TaskRow, ...]:
        """Tasks in the order in which they were added.

        Args:
            state: only in this one; `failed` and `succeeded` for how they ended.
            after: the last task of the page before; nothing comes after one that is not there.
            limit: the most.
        """
        start = 0
        if after is not None:
            found = self._names.find(after)
            start = len(self) if found is None else found + 1
        return tuple(map(self._row, self._columns.among(state, start, limit)))

    def failed(self, *, after: str | None = None, limit: int) -> tuple[str, ...]:
        """Tasks that failed, were refused or were given up, in their order.

        Args:
            after: the last of those that were given before.
            limit: the most; there may be a million.
        """
        found = None if after is None else self._names.find(after)
        places = self._columns.among("failed", 0 if found is None else found + 1, limit)
        return tuple(map(self._names.name, places))

    def _place(self, task_id: str) -> int:
        place = self._names.number(task_id)
        self._columns.reach(place)
        return place

    def _give_up(self, task_id: str, state: str, reason: str) -> None:
        place = self._place(task_id)
        self._columns.move(place, state, succeeded=False)
        self._columns.note(place, reason=reason)

    def _changed(self, event: _Changed, *, ended: bool | None) -> None:
        place, columns = self._place(event.key.task_id), self._columns
        columns.move(place, event.state, succeeded=ended)
        columns.seen(place, node_id=event.node_id, retry_count=event.retry_count)
        if ended is not None:
            columns.ended(
                place, exit_code=event.exit_code, started_at=event.started_at, ended_at=event.ended_at
            )
            if event.failure is not None or columns.notes(place).failure is not None:
                columns.note(place, failure=event.failure)

    def _row(self, place: int) -> TaskRow:
        columns = self._columns
        notes = columns.notes(place)
        succeeded, exit_code = columns.succeeded(place), columns.exit_code(place)
        started_at, ended_at = columns.times(place)
        failure_class: FailureClass | None = None
        remedy = ""
        if succeeded is False and columns.state(place) == "completed":
            failure_class = classify(notes.failure)
            remedy = advice(failure_class, notes.failure, exit_code)
        return TaskRow(
            task_id=self._names.name(place),
            state=columns.state(place),
            node_id=columns.node_id(place),
            retry_count=columns.retry_count(place),
            exit_code=exit_code,
            succeeded=succeeded,
            failure=notes.failure,
            reason=notes.reason,
            started_at=started_at,
            ended_at=ended_at,
            outputs=columns.outputs(place),
            missing=notes.missing,
            failure_class=failure_class,
            remedy=remedy,
        )
