"""Output streams that outlive their reader, as in `orchestrator run JOB --output json | head -3`."""

from __future__ import annotations

import io
import sys
from typing import Any, TextIO


def outlive_readers() -> None:
    """Make stdout and stderr drop what is written after their reader has gone.

    A run costs money until its clean-up is over, so it has to get there whether or not somebody still reads
    of it; its exit code tells how it went. Done here for all writers (renderers, remarks, log lines), since
    each has its own way of ending the program when a pipe breaks.
    """
    sys.stdout = _outliving(sys.stdout)
    sys.stderr = _outliving(sys.stderr)


class _WhileRead(io.FileIO):
    """Writes to a descriptor for as long as somebody reads it."""

    _gone = False

    def write(self, data: Any, /) -> int:
        if not self._gone:
            try:
                return super().write(data)
            except BrokenPipeError:
                self._gone = True
        return memoryview(data).nbytes


def _outliving(stream: TextIO) -> TextIO:
    if not isinstance(stream, io.TextIOWrapper):
        return stream  # closed by the caller, or replaced by a program that runs this one in itself
    stream.flush()
    return io.TextIOWrapper(
        io.BufferedWriter(_WhileRead(stream.fileno(), "w", closefd=False)),
        encoding=stream.encoding,
        errors=stream.errors,
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )
