"""Where log lines go: stderr, so that stdout holds nothing but what was asked for."""

from __future__ import annotations

import logging
import os
import sys

import structlog

DEBUG = "ORCHESTRATOR_DEBUG"
"""With this environment variable set, every log line is shown, and an error shows its traceback."""


def configure_logs() -> None:
    """Send log lines to stderr: errors, since the renderer tells the rest; all with `ORCHESTRATOR_DEBUG`."""
    level = logging.DEBUG if os.environ.get(DEBUG) else logging.ERROR
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
