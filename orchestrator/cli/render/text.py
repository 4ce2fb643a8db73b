"""Plain lines, for a log file or a pipe: every step as it happens, and the summary."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Self

from rich.console import Console

from orchestrator.cli.render.lines import line
from orchestrator.cli.render.summary import InputName, Summary
from orchestrator.events import Event
from orchestrator.results import JobResult

if TYPE_CHECKING:
    from orchestrator.handlers.progress import Progress


class Text:
    """A line an event.

    Args:
        console: one that interprets nothing (`plain_console`).
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._summary = Summary()
        self._input_name: InputName = lambda _: None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._console.file.flush()

    def follow(self, progress: Callable[[], Progress], input_name: InputName) -> None:
        """Look names up there from now on; lines tell the steps, not the state."""
        self._input_name = input_name

    def show(self, event: Event) -> None:
        """Write the event's line, if it is worth one."""
        self._summary.observe(event)
        if told := line(event):
            self._console.print(f"{event.time.astimezone():%H:%M:%S} {told}")
            self._console.file.flush()

    def finish(self, result: JobResult) -> None:
        """Write the summary."""
        self._summary.write(self._console, result, self._input_name)

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """Lines disturb no question: nothing is drawn over."""
        yield
