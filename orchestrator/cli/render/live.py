"""Text on a terminal: where the run stands, redrawn in place, and above it what went wrong."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Self

from rich.console import Console
from rich.live import Live
from rich.text import Text as Shown

from orchestrator.cli.render.lines import trouble
from orchestrator.cli.render.status import status
from orchestrator.cli.render.summary import InputName, Summary
from orchestrator.events import Event, utc_now
from orchestrator.handlers.progress import Progress
from orchestrator.results import JobResult

_REDRAWN_PER_SECOND = 4


class LiveText:
    """A few lines that change in place.

    Args:
        console: a terminal's that interprets nothing (`plain_console`).
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._summary = Summary()
        self._input_name: InputName = lambda _: None
        self._progress: Callable[[], Progress] = Progress
        self._live = Live(
            console=console,
            get_renderable=self._draw,
            refresh_per_second=_REDRAWN_PER_SECOND,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )

    def __enter__(self) -> Self:
        self._live.start(refresh=True)  # at once, however soon something happens
        return self

    def __exit__(self, *exc: object) -> None:
        self._live.stop()

    def follow(self, progress: Callable[[], Progress], input_name: InputName) -> None:
        """Draw what the first gives from now on, and look names up in the second."""
        self._progress = progress
        self._input_name = input_name

    def show(self, event: Event) -> None:
        """Print it above the lines if somebody may have to act on it."""
        self._summary.observe(event)
        if told := trouble(event):
            self._console.print(told)

    def finish(self, result: JobResult) -> None:
        """Take the lines away and write the summary."""
        self._live.stop()
        self._summary.write(self._console, result, self._input_name)

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """Draw nothing inside the block."""
        self._live.stop()
        try:
            yield
        finally:
            self._live.start()

    def _draw(self) -> Shown:
        return Shown("\n".join(status(self._progress(), utc_now())), no_wrap=True, overflow="ellipsis")
