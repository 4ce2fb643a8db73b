"""Brings what a task that is given up has written so far, from its node."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from pathlib import Path
from typing import Final

import anyio
import structlog

from orchestrator.errors import OrchestratorError
from orchestrator.file_threads import FileThreads
from orchestrator.handlers.result_files import PartialFile, TaskFolder
from orchestrator.limits import Limits
from orchestrator.states import TaskKey

_log = structlog.get_logger()

LOGS: Final = ("stderr.txt", "stdout.txt")
"""Of every task, in its folder on the node."""


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
        for name in LOGS:
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


async def limited(pieces: AsyncIterator[bytes], most: int) -> AsyncIterator[bytes]:
    """The first bytes of a file.

    Args:
        pieces: of the whole file, which is closed at the end.
        most: bytes that are wanted of it.
    """
    try:
        async for piece in pieces:
            yield piece[:most]
            most -= len(piece)
            if most <= 0:
                return
    finally:
        if isinstance(pieces, AsyncGenerator):
            await pieces.aclose()


async def _bring(partial: PartialFile, pieces: AsyncIterator[bytes], threads: FileThreads, most: int) -> Path:
    async for piece in limited(pieces, most):
        await threads.run(partial.write, [piece])
    path, _ = await threads.run(partial.finish, None, ())
    return path
