"""What is said at the end of a run: when, how many, what failed and where to look, what is left."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from orchestrator.cli.render.escape import shown
from orchestrator.cli.render.lines import how_ended
from orchestrator.cli.render.status import length
from orchestrator.events import Event, OutputsDownloaded, ResourceKept, TaskAbandoned, TaskFailed
from orchestrator.results import JobResult
from orchestrator.states import TaskKey

FAILURES_SHOWN = 20
"""The tables' lengths do not grow with the job; the others are on disk like these."""

InputName = Callable[[str], str | None]
"""The local name of the file that a task was made for, by the task's id; None where it has none."""

_TELLING = ("stderr.txt", "failure.json")


class Summary:
    """Collects from events what the end has to say; its size does not grow with the job."""

    def __init__(self) -> None:
        self._failures: dict[TaskKey, str] = {}
        self._places: dict[TaskKey, Path] = {}
        self._missing: list[tuple[TaskKey, str, str]] = []
        self._kept: list[str] = []

    def observe(self, event: Event) -> None:
        """Take account of one event, in the order in which they come.

        Args:
            event: any event of the run.
        """
        match event:
            case TaskFailed():
                self._note(event.key, how_ended(event.exit_code, event.failure))
            case TaskAbandoned():
                self._note(event.key, f"given up: {event.reason}")
            case OutputsDownloaded():
                self._note_files(event)
            case ResourceKept():
                self._kept.append(f"{event.kind} {event.id} ({event.reason})")
            case _:
                pass

    def _note(self, key: TaskKey, why: str) -> None:
        if len(self._failures) < FAILURES_SHOWN:
            self._failures[key] = why

    def _note_files(self, event: OutputsDownloaded) -> None:
        if event.key in self._failures:
            for path in event.outputs:
                if path.name in _TELLING:
                    self._places.setdefault(event.key, path)
        for name, reason in event.missing[: FAILURES_SHOWN - len(self._missing)]:
            self._missing.append((event.key, name, reason))

    def write(self, console: Console, result: JobResult, input_name: InputName) -> None:
        """Write it all.

        Args:
            console: one that interprets nothing (`plain_console`).
            result: what became of the run.
            input_name: looks up the name of a task's input.
        """
        console.print()
        for name, when in (("start", result.started_at), ("end", result.ended_at)):
            console.print(f"{name:<8} {_clock(when)}")
        console.print(f"elapsed  {length(result.elapsed)}")
        console.print()
        console.print(_counts(result))
        if self._failures:
            console.print()
            console.print(self._failed(result, input_name))
        if self._missing:
            console.print()
            console.print(self._not_here(result))
        console.print()
        if result.error:
            console.print(f"error: {shown(result.error)}")
        console.print(f"results: {shown(str(result.download_dir / result.job_id))}")
        for kept in self._kept or result.kept:
            console.print(f"kept: {shown(kept)}")
        for left in result.leftovers:
            console.print(f"left behind, and may cost money: {shown(left)}")

    def _failed(self, result: JobResult, input_name: InputName) -> Table:
        table = _table("Task", "Input", "How it ended", "Look into")
        for key, why in self._failures.items():
            place = self._places.get(key)
            told = str(_from_here(place)) if place else ""
            _add(table, key.task_id, input_name(key.task_id) or "", why, told)
        _add_more(table, result.failed + result.abandoned - len(self._failures))
        return table

    def _not_here(self, result: JobResult) -> Table:
        table = _table("Task", "Missing", "Why")
        for key, name, reason in self._missing:
            _add(table, key.task_id, name, reason)
        _add_more(table, result.missing_outputs - len(self._missing))
        return table


def _counts(result: JobResult) -> Table:
    table = _table("Job", "Tasks", "Succeeded", "Failed", "Given up", "Outputs", "Missing")
    counts = (result.tasks, result.succeeded, result.failed, result.abandoned, result.outputs)
    table.add_row(
        Text(shown(result.job_id)), *(Text(str(count)) for count in (*counts, result.missing_outputs))
    )
    return table


def _from_here(path: Path) -> Path:
    """As short as it can be and still be copied: a long one would be folded on a terminal."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path


def _add(table: Table, *cells: str) -> None:
    table.add_row(*(Text(shown(cell)) for cell in cells))


def _add_more(table: Table, more: int) -> None:
    if more > 0:
        table.add_row(Text(f"... and {more} more"))


def _table(*columns: str) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def _clock(when: datetime) -> str:
    return when.astimezone().strftime("%Y-%m-%d %H:%M:%S %z")
