"""The files of a task that the program of a run had brought before it died: they are not brought again."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from orchestrator.file_threads import FileThreads
from orchestrator.handlers.result_files import TaskFolder
from orchestrator.states import BlobSnapshot


class Looking(Protocol):
    """The part of the account's storage that says what a blob holds."""

    async def blob(self, container: str, name: str) -> BlobSnapshot | None:
        """One blob, None if there is none."""


class BroughtBefore:
    """Tells what is here already, for one task of a run that was taken up again.

    Args:
        folder: of the task.
        threads: for the disk.
        storage: where its outputs are.
        container: the output container.
        told: the files that were told as here, and their sizes.
    """

    def __init__(
        self,
        folder: TaskFolder,
        *,
        threads: FileThreads,
        storage: Looking,
        container: str,
        told: Mapping[Path, int],
    ) -> None:
        self._folder = folder
        self._threads = threads
        self._storage = storage
        self._container = container
        self._told = told

    def was_told(self, path: Path) -> bool:
        """Whether the file was told as here."""
        return path in self._told

    async def size(self, path: str) -> int | None:
        """The size of a file that is here, whether the program got to tell it or not; None if it is not.

        Args:
            path: below the task's folder; claimed.
        """
        digest = await self._threads.run(self._folder.written_before, path)
        if digest is None:
            return None
        if self._told.get(self._folder.path / path) == digest.size:
            return digest.size
        # An earlier run of the same job may have written it: only what the blob has is this run's.
        blob = await self._storage.blob(self._container, f"{self._folder.key.task_id}/{path}")
        same = blob is not None and blob.size == digest.size and blob.md5 == bytes.fromhex(digest.md5)
        return digest.size if same else None
