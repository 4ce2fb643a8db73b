"""What is said at the end of a run: when, how many, what failed and where its stderr is, what is left."""

from __future__ import annotations

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
"""The table's length does not grow with the job; the others are on disk like these."""

_TELLING = ("stderr.txt", "failure.json")


class Summary:
    """Collects from events what the end has to say; its size does not grow with the job."""

    def __init__(self) -> None:
        self._failures: dict[TaskKey, str] = {}
        self._places: dict[TaskKey, Path] = {}
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
            case OutputsDownloaded() if event.key in self._failures:
                for path in event.outputs:
                    if path.name in _TELLING:
                        self._places.setdefault(event.key, path)
            case ResourceKept():
                self._kept.append(f"{event.kind} {event.id} ({event.reason})")
            case _:
                pass

    def _note(self, key: TaskKey, why: str) -> None:
        if len(self._failures) < FAILURES_SHOWN:
            self._failures[key] = why

    def write(self, console: Console, result: JobResult) -> None:
        """Write it all.

        Args:
            console: one that interprets nothing (`plain_console`).
            result: what became of the run.
        """
        console.print()
        for name, when in (("start", result.started_at), ("end", result.ended_at)):
            console.print(f"{name:<8} {_clock(when)}")
        console.print(f"elapsed  {length(result.elapsed)}")
        console.print()
        console.print(_counts(result))
        if self._failures:
            console.print(self._failed(result))
        console.print()
        if result.error:
            console.print(f"error: {shown(result.error)}")
        console.print(f"results: {shown(str(result.download_dir / result.job_id))}")
        for kept in self._kept or result.kept:
            console.print(f"kept: {shown(kept)}")
        for left in result.leftovers:
            console.print(f"left behind, and may cost money: {shown(left)}")

    def _failed(self, result: JobResult) -> Table:
        table = _table("Task", "How it ended", "Look into")
        for key, why in self._failures.items():
            place = self._places.get(key)
            table.add_row(*(Text(shown(cell)) for cell in (key.task_id, why, str(place or ""))))
        more = result.failed + result.abandoned - len(self._failures)
        if more > 0:
            table.add_row(Text(f"... and {more} more"))
        return table


def _counts(result: JobResult) -> Table:
    table = _table("Job", "Tasks", "Succeeded", "Failed", "Given up", "Outputs", "Missing")
    counts = (result.tasks, result.succeeded, result.failed, result.abandoned, result.outputs)
    table.add_row(
        Text(shown(result.job_id)), *(Text(str(count)) for count in (*counts, result.missing_outputs))
    )
    return table


def _table(*columns: str) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def _clock(when: datetime) -> str:
    return when.astimezone().strftime("%Y-%m-%d %H:%M:%S %z")
