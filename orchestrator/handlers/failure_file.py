"""What is left of a failed task whose logs can't be had: what the service says of its failure, as a file."""

from __future__ import annotations

from typing import Final

import msgspec

from orchestrator.events import TaskFailed

FAILURE_FILE: Final = "failure.json"
"""In the task's folder."""


def failure_json(event: TaskFailed) -> bytes:
    """The file's content.

    Args:
        event: the end of the task.
    """
    failure = event.failure
    told = {
        "code": failure.code if failure else None,
        "category": failure.category if failure else None,
        "message": failure.message if failure else None,
        "details": dict(failure.details) if failure else {},
        "exit_code": event.exit_code,
    }
    return msgspec.json.format(msgspec.json.encode(told), indent=2) + b"\n"
