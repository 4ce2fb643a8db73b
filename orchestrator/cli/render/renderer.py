"""What a run needs from whatever shows it, and which one shows it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Protocol

from orchestrator.cli.options import Output
from orchestrator.events import Event
from orchestrator.results import JobResult

if TYPE_CHECKING:
    from orchestrator.cli.render.summary import InputName
    from orchestrator.handlers.progress import Progress


class Renderer(Protocol):
    """Shows a run. Used as a context manager, so that a terminal is left as it was found."""

    def __enter__(self) -> Renderer: ...

    def __exit__(self, *exc: object) -> None: ...

    def follow(self, progress: Callable[[], Progress], input_name: InputName) -> None:
        """Where the run stands, and what a task was made for, can be asked from now on."""

    def show(self, event: Event) -> None:
        """Take one event, in the order in which they come."""

    def finish(self, result: JobResult) -> None:
        """Say what became of the run, after its last event."""

    def paused(self) -> AbstractContextManager[None]:
        """The terminal is free inside the block, for a question."""


def renderer_for(output: Output) -> Renderer:
    """The renderer for a choice of output; text is live only on a terminal.

    Args:
        output: what the user chose.
    """
    if output is Output.JSON:
        from orchestrator.cli.render.json_lines import JsonLines

        return JsonLines(sys.stdout.buffer)
    if output is Output.QUIET:
        from orchestrator.cli.render.quiet import Quiet

        return Quiet(sys.stderr)
    from orchestrator.cli.render.console import plain_console
    from orchestrator.cli.render.text import Text

    console = plain_console(sys.stdout)
    if not console.is_terminal:
        return Text(console)
    from orchestrator.cli.render.live import LiveText

    return LiveText(console)
