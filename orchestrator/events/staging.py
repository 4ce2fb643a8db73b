"""Events of files on their way to the account's storage."""

from __future__ import annotations

from datetime import datetime

from orchestrator.events.event import Event


class StagingEvent(Event, frozen=True, kw_only=True):
    """Something about bringing files to the account's storage."""


class StagingStarted(StagingEvent, frozen=True, kw_only=True):
    """The containers are there and files begin to go up."""

    files: int
    containers: tuple[str, ...]


class InputStaged(StagingEvent, frozen=True, kw_only=True):
    """One file is in its container (or was there already: `reused`).

    Args:
        name: the file's name as the task will see it.
        size: in bytes.
        md5: of the content, hexadecimal.
        started_at: when its upload began.
        index: its place among the run's inputs; None for a file of the application.
    """

    name: str
    container: str
    blob: str
    size: int
    md5: str
    started_at: datetime
    reused: bool = False
    index: int | None = None


class StagingCompleted(StagingEvent, frozen=True, kw_only=True):
    """Every file is in its container."""

    files: int
    size: int
