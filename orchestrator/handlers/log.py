"""One log line for each event: a dotted name and fields, never a sentence."""

from __future__ import annotations

import functools
import logging
import re
from itertools import zip_longest
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
_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING}


class LogHandler:
    """Writes every event as a line such as `task.failed run=… job=… task=… exit_code=3`.

    What went wrong is a warning, what there is one of per task, file or node is for debugging, the rest is
    information.
    """

    name: ClassVar[str] = "log"
    consumes: ClassVar[tuple[type[Event], ...]] = (Event,)
    produces: ClassVar[tuple[type[Event], ...]] = ()

    def __init__(self) -> None:
        self._made_by: tuple[object, ...] = ()
        self._made: Any = None

    async def handle(self, event: Event, /) -> None:
        """Write the event's line."""
        logger, level = self._logger(), _level(type(event))
        # Most events are there for debugging, which nobody does: their fields are not even gathered.
        if _writes(logger, level):
            getattr(logger, level)(dotted_name(type(event).__name__), **log_fields(event))

    def _logger(self) -> Any:
        """As structlog is configured now: it would make one anew for each line."""
        config = structlog.get_config()
        made_by = (config["wrapper_class"], config["logger_factory"], config["processors"])
        if any(a is not b for a, b in zip_longest(made_by, self._made_by)):
            self._made_by, self._made = made_by, structlog.get_logger().bind()
        return self._made


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


@functools.cache
def _level(event_type: type[Event]) -> str:
    if issubclass(event_type, _WARNINGS):
        return "warning"
    if issubclass(event_type, _DETAILS) and not issubclass(event_type, TaskCompleted):
        return "debug"
    return "info"


def _writes(logger: Any, level: str) -> bool:
    """Whether a line of this level is written; a logger that can't tell may drop it later."""
    for name in ("is_enabled_for", "isEnabledFor"):
        # Asked of the class, since some loggers take any name of theirs for a level.
        if (enabled := getattr(type(logger), name, None)) is not None:
            return bool(enabled(logger, _LEVELS[level]))
    return True
