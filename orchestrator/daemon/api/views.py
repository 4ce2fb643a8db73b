"""What clients are shown: runs and files, as values with a JSON Schema."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec
from aiohttp import web

from orchestrator.daemon.records import RunRecord
from orchestrator.daemon.service import DaemonService
from orchestrator.daemon.task_table import TaskRow
from orchestrator.handlers.progress import Progress


class ProgressView(msgspec.Struct, frozen=True, kw_only=True):
    """Where a run that is under way stands."""

    state: str | None
    files: int
    files_staged: int
    nodes: int
    target_nodes: int
    tasks: int
    tasks_by_state: dict[str, int]
    tasks_failed: int
    tasks_abandoned: int
    tasks_downloaded: int
    outputs: int


class RunView(msgspec.Struct, frozen=True, kw_only=True):
    """A run.

    Args:
        place_in_line: from 1; None where it does not wait. A run under way may wait for the account's quota.
        waits_for: what it waits for, apart from those before it in line.
        result: its `JobResult`, once it is over and had begun.
    """

    id: str
    job_id: str
    phase: str
    name: str
    source: str
    submitter: str
    priority: int
    parent: str | None
    accepted_at: datetime
    begun_at: datetime | None
    ended_at: datetime | None
    place_in_line: int | None
    waits_for: str | None
    cancelled: str | None
    outcome: str | None
    error: str | None
    progress: ProgressView | None = None
    result: dict[str, Any] | None = None


class RunPage(msgspec.Struct, frozen=True, kw_only=True):
    """Runs, newest first; `next` is the `after` of the next page, None on the last."""

    runs: list[RunView]
    next: str | None


class TaskPage(msgspec.Struct, frozen=True, kw_only=True):
    """Tasks in the order in which they were added; `next` is the `after` of the next page."""

    tasks: list[TaskRow]
    next: str | None


class OutputView(msgspec.Struct, frozen=True, kw_only=True):
    """A file of a run's results; `path` is `TASK/FILE`."""

    path: str
    size: int


class OutputPage(msgspec.Struct, frozen=True, kw_only=True):
    """Files in the order of their paths; `next` is the `after` of the next page."""

    outputs: list[OutputView]
    next: str | None


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """Whether the daemon is well, and if not, why."""

    ok: bool
    reason: str | None = None


def run_view(record: RunRecord, service: DaemonService) -> RunView:
    """A run as it is shown.

    Args:
        record: as it was written down.
        service: knows where the run stands.
    """
    desk = service.desk
    job_run = desk.job_run(record.run_id)
    return RunView(
        id=record.run_id,
        job_id=record.job_id,
        phase=record.phase.value,
        name=record.name,
        source=record.source.value,
        submitter=record.submitter,
        priority=record.priority,
        parent=record.parent,
        accepted_at=record.accepted_at,
        begun_at=record.begun_at,
        ended_at=record.ended_at,
        place_in_line=desk.place(record.run_id),
        waits_for=desk.waits_for(record.run_id),
        cancelled=record.cancelled,
        outcome=record.outcome.value if record.outcome is not None else None,
        error=record.error,
        progress=_progress(job_run.progress) if job_run is not None else None,
        result=msgspec.json.decode(record.result) if record.result is not None else None,
    )


def json_response(value: object, *, status: int = 200) -> web.Response:
    """A value as JSON."""
    return web.Response(status=status, body=msgspec.json.encode(value), content_type="application/json")


def _progress(progress: Progress) -> ProgressView:
    return ProgressView(
        state=progress.run_state.value if progress.run_state is not None else None,
        files=progress.files,
        files_staged=progress.files_staged,
        nodes=progress.nodes,
        target_nodes=progress.target_nodes,
        tasks=progress.tasks,
        tasks_by_state={state.value: count for state, count in progress.tasks_by_state},
        tasks_failed=progress.tasks_failed,
        tasks_abandoned=progress.tasks_abandoned,
        tasks_downloaded=progress.tasks_downloaded,
        outputs=progress.outputs,
    )
