from __future__ import annotations

import io
import os
import threading
from typing import Any

import pytest

from orchestrator.daemon import log_writer
from orchestrator.daemon.log_writer import LogWriter

LIMIT = 10.0


class Stream(io.StringIO):
    """Tells how often it was written to, and when so many lines are there."""

    def __init__(self, lines: int) -> None:
        super().__init__()
        self.writes = 0
        self.lines = lines
        self.all = threading.Event()

    def write(self, text: str, /) -> int:
        self.writes += 1
        written = super().write(text)
        if self.getvalue().count("\n") >= self.lines:
            self.all.set()
        return written


def test_lines_come_in_their_order_and_many_at_a_time() -> None:
    stream = Stream(1000)
    writer = LogWriter(stream)
    for number in range(1000):
        writer.info(f"line {number}")
    assert stream.all.wait(LIMIT)
    assert stream.getvalue().splitlines() == [f"line {number}" for number in range(1000)]
    assert stream.writes < 100


def test_a_flush_leaves_nothing_to_be_lost() -> None:
    stream = Stream(1)
    writer = LogWriter(stream)
    writer.warning("the last word")
    writer.flush()
    assert stream.getvalue() == "the last word\n"


def test_who_logs_does_not_wait_for_a_pipe_that_nobody_reads() -> None:
    reader, writer = os.pipe()
    with open(writer, "w", buffering=1) as stream, open(reader, "rb") as end:  # noqa: PTH123 - descriptors
        log = LogWriter(stream)
        for number in range(log_writer._MOST // 2):  # far more than a pipe holds
            log.msg(f"{number:>100}")
        came: list[Any] = [end.readline() for _ in range(log_writer._MOST // 2)]
    assert came[-1].strip() == str(log_writer._MOST // 2 - 1).encode()


@pytest.mark.parametrize("level", ["debug", "info", "warning", "error", "critical"])
def test_every_level_is_written(level: str) -> None:
    stream = Stream(1)
    writer = LogWriter(stream)
    getattr(writer, level)("told")
    writer.flush()
    assert stream.getvalue() == "told\n"
