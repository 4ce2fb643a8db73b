"""Where a run stands, in the few lines that a terminal shows over and over."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from orchestrator.handlers.progress import Progress

_THOUSAND = 1000.0


def status(progress: Progress, now: datetime) -> tuple[str, ...]:
    """What is shown now: the run's state and times, uploads and nodes, tasks, downloads.

    Args:
        progress: where the run stands.
        now: aware; what has elapsed and remains is counted from it.
    """
    return (
        _head(progress, now),
        f"uploads    {progress.files_staged}/{progress.files}, {amount(progress.bytes_staged)}",
        f"nodes      {progress.nodes}/{progress.target_nodes}{_states(progress.nodes_by_state)}",
        f"tasks      {progress.tasks}{_states(progress.tasks_by_state)}{_trouble(progress)}",
        f"downloads  {_downloads(progress)}",
    )


def length(span: timedelta) -> str:
    """A span of time as `H:MM:SS`.

    Args:
        span: a negative one is shown as nothing.
    """
    minutes, seconds = divmod(max(int(span.total_seconds()), 0), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}"


def amount(size: int) -> str:
    """A number of bytes in the unit that leaves the fewest digits.

    Args:
        size: in bytes.
    """
    if size < _THOUSAND:
        return f"{size} B"
    shown = float(size)
    for unit in ("kB", "MB", "GB"):
        shown /= _THOUSAND
        if shown < _THOUSAND:
            return f"{shown:.1f} {unit}"
    return f"{shown / _THOUSAND:.1f} TB"


def _head(progress: Progress, now: datetime) -> str:
    state = progress.run_state or "starting"
    parts = [f"{state}"]
    if progress.started_at is not None:
        parts.append(f"{length(now - progress.started_at)} elapsed")
    if progress.deadline is not None:
        parts.append(f"{length(progress.deadline - now)} remaining")
    return ", ".join(parts)


def _downloads(progress: Progress) -> str:
    size = amount(progress.bytes_downloaded)
    return f"{progress.outputs} files of {progress.tasks_downloaded} tasks, {size}"


def _states(counts: Iterable[tuple[str, int]]) -> str:
    told = ", ".join(f"{count} {state}" for state, count in counts if count)
    return f": {told}" if told else ""


def _trouble(progress: Progress) -> str:
    counts = (
        (progress.tasks_failed, "failed"),
        (progress.tasks_rejected, "refused"),
        (progress.tasks_abandoned, "given up"),
    )
    told = ", ".join(f"{count} {what}" for count, what in counts if count)
    return f" ({told})" if told else ""
