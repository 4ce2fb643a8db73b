"""Where log lines go when the program around us has not said so."""

from __future__ import annotations

import structlog


def log_quietly_by_default() -> None:
    """Send log lines to the standard library's `logging`, unless structlog was configured by somebody.

    Left alone, structlog prints every line to stdout, which belongs to the program that embeds us. What that
    program configures later, of structlog or of `logging`, takes over.
    """
    if structlog.is_configured():
        return
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            # Python's plain traceback; structlog's own shows local variables, among them secrets.
            structlog.processors.format_exc_info,
            structlog.processors.KeyValueRenderer(key_order=["event"]),
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
