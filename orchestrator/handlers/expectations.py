"""What a task is expected to leave, as the handlers that bring and judge its files need to know it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import msgspec

from orchestrator.events import TaskCompleted, TaskFailed
from orchestrator.spec.files import KeepLogs, UploadBy


class TaskOutputs(msgspec.Struct, frozen=True, kw_only=True):
    """What one task was made from, and what it should leave when it succeeds.

    Args:
        input_name: the local name of the file that the task was made for, None where it has none.
        expected: globs against the files' paths below the task's folder of results; each must match a file
            of a task that succeeded.
        upload_by: who uploads: the Batch agent, or the task's program, which then leaves a `manifest.json`.
        names: the paths of all files that the Batch agent may upload, its logs aside, where the job file
            names each; None where only a listing can tell.
        logs: of which tasks stdout and stderr are uploaded.
    """

    input_name: str | None = None
    expected: tuple[str, ...] = ()
    upload_by: UploadBy = UploadBy.BATCH
    names: tuple[str, ...] | None = None
    logs: KeepLogs = KeepLogs.ALWAYS


def leaves_nothing(event: TaskCompleted, wanted: TaskOutputs) -> bool:
    """Whether a task that ended so has no files, as is known without asking.

    Args:
        event: its end.
        wanted: what it should leave.
    """
    return (
        not isinstance(event, TaskFailed)
        and wanted.logs is KeepLogs.ON_FAILURE
        and wanted.upload_by is UploadBy.BATCH
        and wanted.names == ()
    )


Expectations: TypeAlias = Callable[[str], TaskOutputs]
"""Looks up, by task id, what a task is expected to leave."""
