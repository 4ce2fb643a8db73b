"""One log line for each event: a dotted name and fields, never a sentence."""

from __future__ import annotations

import functools
import re
from typing import Any, ClassVar

import msgspec
import structlog

from orchestrator.events import (
    AccessExtensionFailed,
    CleanupFailed,
    DownloadFailed,
    Event,
    HandlerFailed,
    InputStaged,
    NodeRebooted,
    NodeRemoved,
    NodeStateChanged,
    NodeUnusable,
    OutputDownloaded,
    PoolResizeFailed,
    PoolResizeRetried,
    RunInterrupted,
    RunStalled,
    StartTaskFailed,
    TaskAbandoned,
    TaskCompleted,
    TaskFailed,
    TasksRejected,
    TaskStateChanged,
)

_WORD = re.compile(r"[A-Z][a-z]*")
_WARNINGS = (
    AccessExtensionFailed,
    CleanupFailed,
    DownloadFailed,
    HandlerFailed,
    NodeRebooted,
    NodeRemoved,
    NodeUnusable,
    PoolResizeFailed,
    PoolResizeRetried,
    RunInterrupted,
    RunStalled,
    StartTaskFailed,
    TaskAbandoned,
    TaskFailed,
    TasksRejected,
)
_DETAILS = (InputStaged, NodeStateChanged, OutputDownloaded, TaskStateChanged)
_RENAMED = {"run_id": "run", "job_id": "job", "pool_id": "pool", "node_id": "node", "key": "task"}
# The line has a time of its own, and the name says the class.
_LEFT_OUT = frozenset({"event", "time"})
_LISTED = 5


class LogHandler:
    """Writes every event as a line such as `task.failed run=… job=… task=… exit_code=3`.

    What went wrong is a warning, what there is one of per task, file or node is for debugging, the rest is
    information.
    """

    name: ClassVar[str] = "log"
    consumes: ClassVar[tuple[type[Event], ...]] = (Event,)
    produces: ClassVar[tuple[type[Event], ...]] = ()

    def __init__(self) -> None:
        self._log = structlog.get_logger()

    async def handle(self, event: Event, /) -> None:
        """Write the event's line."""
        getattr(self._log, _level(event))(dotted_name(type(event).__name__), **log_fields(event))


@functools.cache
def dotted_name(class_name: str) -> str:
    """The log name of an event: its subject, a dot, and what happened to it.

    Args:
        class_name: such as `RunStateChanged`.

    Returns:
        Such as `run.state_changed`.
    """
    subject, *rest = (word.lower() for word in _WORD.findall(class_name))
    return f"{subject}.{'_'.join(rest)}" if rest else subject


def log_fields(event: Event) -> dict[str, Any]:
    """The fields of an event as plain values; a long list becomes its length, an absent value is left out."""
    fields: dict[str, Any] = {}
    for name, value in msgspec.to_builtins(event, str_keys=True, enc_hook=str).items():
        if name in _LEFT_OUT or value is None:
            continue
        shown = _RENAMED.get(name, name)
        match value:
            case {"job_id": job_id, "task_id": task_id}:
                fields["job"], fields[shown] = job_id, task_id
            case {"category": category, "code": code, "message": message}:
                fields["category"], fields["code"], fields["message"] = category, code, message
            case list() | tuple() if len(value) > _LISTED:
                fields[shown] = len(value)
            case _:
                fields[shown] = value
    return fields


def _level(event: Event) -> str:
    if isinstance(event, _WARNINGS):
        return "warning"
    if isinstance(event, _DETAILS) and not isinstance(event, TaskCompleted):
        return "debug"
    return "info"
