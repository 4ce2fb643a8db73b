"""Nothing while the job runs, and at the end only what cost money or went wrong."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import IO, TYPE_CHECKING, Self

from orchestrator.cli.render.escape import shown
from orchestrator.cli.render.shortfalls import what_is_wrong
from orchestrator.events import Event
from orchestrator.results import JobResult

if TYPE_CHECKING:
    from orchestrator.cli.render.summary import InputName
    from orchestrator.handlers.progress import Progress


class Quiet:
    """Says only what somebody has to act on.

    Args:
        stream: where that goes: stderr.
    """

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._stream.flush()

    def follow(self, progress: Callable[[], Progress], input_name: InputName) -> None:
        """Nothing: nobody looks."""

    def show(self, event: Event) -> None:
        """Nothing; the end says how it went."""

    def finish(self, result: JobResult) -> None:
        """Why the exit code is not 0, and where to look; what was left behind, if there is any."""
        if result.error:
            self._stream.write(f"orchestrator: {shown(result.error)}\n")
        for told in what_is_wrong(result):
            self._stream.write(f"orchestrator: {shown(told)}\n")
        for left in result.leftovers:
            self._stream.write(f"left behind: {shown(left)}\n")

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """Nothing is shown that a question could disturb."""
        yield
