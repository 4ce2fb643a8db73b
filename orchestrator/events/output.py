"""Events of tasks' files on their way to this disk."""

from __future__ import annotations

from pathlib import Path

from orchestrator.events.job import TaskEvent


class OutputEvent(TaskEvent, frozen=True, kw_only=True):
    """Something about a task's files."""


class OutputDownloaded(OutputEvent, frozen=True, kw_only=True):
    """One file of a task is on this disk, checked."""

    path: Path
    size: int


class OutputsDownloaded(OutputEvent, frozen=True, kw_only=True):
    """Everything a task left is on this disk, or was given up (`missing`: name and reason)."""

    outputs: tuple[Path, ...]
    size: int
    missing: tuple[tuple[str, str], ...] = ()


class DownloadFailed(OutputEvent, frozen=True, kw_only=True):
    """One file of a task could not be brought here."""

    name: str
    reason: str
