"""Where log lines go: stderr, so that stdout holds nothing but what was asked for."""

from __future__ import annotations

import logging
import os
import sys
from datetime import UTC, datetime

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
    debug = bool(os.environ.get(DEBUG))
    _tame_the_libraries(logging.WARNING if debug else logging.ERROR, sdk=debug)
    level = logging.DEBUG if debug else logging.ERROR
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


def _tame_the_libraries(level: int, *, sdk: bool) -> None:
    """Write what libraries log in our own form: Python would write it as it stands.

    Args:
        level: from which on.
        sdk: also what the SDK logs, which our errors tell in our own words otherwise.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_OneLine())
    handler.setLevel(level)
    logging.basicConfig(handlers=[handler], level=level, force=True)
    logging.getLogger("azure").setLevel(level if sdk else logging.CRITICAL)


class _OneLine(logging.Formatter):
    """A library's log line in our own form."""

    def format(self, record: logging.LogRecord) -> str:
        event: structlog.typing.EventDict = {
            "timestamp": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "level": record.levelname.lower(),
            "event": f"library.{record.name}",
            "message": record.getMessage(),
        }
        if record.exc_info:
            event[_EXCEPTION] = self.formatException(record.exc_info)
        return _line(record, record.levelname, event)


def _line(logger: object, method: str, event: structlog.typing.EventDict) -> str:
    """One line of fields, and the traceback below it; neither steers the terminal."""
    traceback = str(event.pop(_EXCEPTION, ""))
    told = [str(_fields(logger, method, event)), *traceback.splitlines()]
    return "\n".join(map(shown, told))
