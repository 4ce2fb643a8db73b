"""Brings what a task that is given up has written so far, from its node."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import anyio
import structlog

from orchestrator.errors import OrchestratorError
from orchestrator.file_threads import FileThreads
from orchestrator.handlers.result_files import PartialFile, TaskFolder
from orchestrator.limits import Limits
from orchestrator.states import TaskKey

_log = structlog.get_logger()

_LOGS = ("stderr.txt", "stdout.txt")


async def bring_running_logs(
    key: TaskKey,
    *,
    folder: TaskFolder,
    read: Callable[[TaskKey, str], AsyncIterator[bytes]],
    threads: FileThreads,
    limits: Limits,
) -> tuple[Path, ...]:
    """Bring stdout and stderr of a task that is running.

    Args:
        key: of the task.
        folder: where they go.
        read: reads a file of a task from its node.
        threads: for the files.
        limits: for `failure_log_bytes`.

    Returns:
        The files that came; a node that is gone gives none.
    """
    brought: list[Path] = []
    try:
        for name in _LOGS:
            partial = folder.create(folder.claim(name))
            try:
                brought.append(await _bring(partial, read(key, name), threads, limits.failure_log_bytes))
            except OrchestratorError as error:
                _log.info("download.no_log", job=key.job_id, task=key.task_id, file=name, error=str(error))
            finally:
                if not partial.ended:
                    with anyio.CancelScope(shield=True):
                        await threads.run(partial.discard)
    finally:
        folder.close()
    return tuple(brought)


async def _bring(partial: PartialFile, pieces: AsyncIterator[bytes], threads: FileThreads, most: int) -> Path:
    async for piece in pieces:
        await threads.run(partial.write, [piece[:most]])
        most -= len(piece)
        if most <= 0:
            break
    path, _ = await threads.run(partial.finish, None, ())
    return path
