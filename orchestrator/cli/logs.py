"""Where log lines go: stderr, so that stdout holds nothing but what was asked for."""

from __future__ import annotations

import logging
import os
import sys

import structlog

from orchestrator.cli.render.escape import shown

DEBUG = "ORCHESTRATOR_DEBUG"
"""With this environment variable set, every log line is shown, and an error shows its traceback."""

_EXCEPTION = "exception"
_fields = structlog.processors.KeyValueRenderer(key_order=["timestamp", "level", "event"], drop_missing=True)


def configure_logs() -> None:
    """Send log lines to stderr: errors, since the renderer tells the rest; all with `ORCHESTRATOR_DEBUG`.

    Every processor is named here: structlog's own choice shows the local variables of each frame of a
    traceback, and some of ours hold keys, addresses with signatures, and the values of secrets.
    """
    level = logging.DEBUG if os.environ.get(DEBUG) else logging.ERROR
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            # Python's plain traceback: files, lines and source, no values.
            structlog.processors.format_exc_info,
            _line,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )


def _line(logger: object, method: str, event: structlog.typing.EventDict) -> str:
    """One line of fields, and the traceback below it; neither steers the terminal."""
    traceback = str(event.pop(_EXCEPTION, ""))
    told = [str(_fields(logger, method, event)), *traceback.splitlines()]
    return "\n".join(map(shown, told))
