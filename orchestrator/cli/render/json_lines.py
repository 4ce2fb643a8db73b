"""Every event as one line of JSON, written at once; `event` is the class name, `RunFinished` comes last."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import PurePath
from typing import IO, TYPE_CHECKING, Self

import msgspec

from orchestrator.events import Event
from orchestrator.results import JobResult

if TYPE_CHECKING:
    from orchestrator.cli.render.summary import InputName
    from orchestrator.handlers.progress import Progress


def _plain(value: object) -> object:
    if isinstance(value, PurePath):
        return str(value)
    raise NotImplementedError(f"an event holds a {type(value).__name__}, which has no JSON form")


_ENCODER = msgspec.json.Encoder(enc_hook=_plain)


def as_line(event: Event) -> bytes:
    """One event as a line of JSON, its line end included.

    Args:
        event: any event.
    """
    return _ENCODER.encode(event) + b"\n"


class JsonLines:
    """Writes events for a program to read while the job runs.

    Args:
        stream: flushed after every event, so that a reader on a pipe is never behind.
    """

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._stream.flush()

    def follow(self, progress: Callable[[], Progress], input_name: InputName) -> None:
        """Nothing: the events say it."""

    def show(self, event: Event) -> None:
        """Write one event."""
        self._stream.write(as_line(event))
        self._stream.flush()

    def finish(self, result: JobResult) -> None:
        """Nothing: `RunFinished` was the last line and says it all."""

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """Questions go to stderr, which is free."""
        yield
