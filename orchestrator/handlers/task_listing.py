"""Lists what tasks have left; those that ended together and whose ids begin alike with one request.

A look at the tasks tells of several that ended, as a rule of neighbours: `t-120` to `t-126` leave blobs that
all begin with `t-12`. On Azure a listing has the price of ten reads.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Final, Protocol

import anyio
import anyio.lowlevel

from orchestrator.errors import OrchestratorError, ServiceError
from orchestrator.states import BlobSnapshot

_FEW: Final = 24
"""Blobs for each task that is asked for: with more of them, be they others', each is listed for itself."""
_UNREADABLE: Final = "UnreadableList"
"""Of an answer that is no XML, by a blob of an odd name: those who did not leave it can be listed."""
_MOST_APART: Final = 1000
"""Beginnings of ids that are kept in mind as not worth it; with more of them nothing is listed together."""


class Listing(Protocol):
    """The part of `accounts.storage.StorageAccount` that lists; it retries by itself."""

    def list_blobs(self, container: str, prefix: str) -> AsyncGenerator[BlobSnapshot, None]:
        """The blobs whose names begin so."""


class _Together:
    """Tasks whose ids begin alike, and their blobs once these are known."""

    def __init__(self) -> None:
        self.tasks: set[str] = set()
        self.over = anyio.Event()
        self.blobs: dict[str, list[BlobSnapshot]] | None = None
        self.error: OrchestratorError | None = None


class TaskListing:
    """Lists the blobs of tasks; used from one event loop.

    Args:
        storage: where they are.
        container: the output container: the blobs of a task are `{task_id}/...`.
    """

    def __init__(self, storage: Listing, container: str) -> None:
        self._storage = storage
        self._container = container
        self._gathering: dict[str, _Together] = {}
        self._apart: set[str] = set()

    async def of(self, task_id: str) -> list[BlobSnapshot]:
        """The blobs of a task that has ended.

        Args:
            task_id: its id.

        Returns:
            Snapshots with whole names.

        Raises:
            OrchestratorError: storage does not say what there is.
        """
        beginning = task_id[:-1]
        if beginning and beginning not in self._apart and len(self._apart) < _MOST_APART:
            found = await self._together(beginning, task_id)
            if found is not None:
                return found
        return [blob async for blob in self._storage.list_blobs(self._container, f"{task_id}/")]

    async def _together(self, beginning: str, task_id: str) -> list[BlobSnapshot] | None:
        """The same, with others who ask at this moment; None if each is to list for itself."""
        together = self._gathering.get(beginning)
        if together is not None:
            together.tasks.add(task_id)
            await together.over.wait()
        else:
            together = self._gathering[beginning] = _Together()
            together.tasks.add(task_id)
            try:
                # All tasks of one look are told of, and asked for, in one turn of the loop.
                await anyio.lowlevel.checkpoint()
                # From here on the request may be under way: who comes later could miss what it would show.
                del self._gathering[beginning]
                if len(together.tasks) > 1:
                    together.blobs = await self._list(beginning, together.tasks)
            except OrchestratorError as error:
                together.error = (
                    error  # everybody's, who need not have the same patience with the account again
                )
            finally:
                # Also where this one is cancelled: the others list for themselves then.
                if self._gathering.get(beginning) is together:
                    del self._gathering[beginning]
                together.over.set()
        if together.error is not None:
            raise together.error
        return None if together.blobs is None else together.blobs[task_id]

    async def _list(self, beginning: str, tasks: set[str]) -> dict[str, list[BlobSnapshot]] | None:
        found: dict[str, list[BlobSnapshot]] = {task: [] for task in tasks}
        left = _FEW * len(tasks)
        try:
            async with aclosing(self._storage.list_blobs(self._container, beginning)) as blobs:
                async for blob in blobs:
                    task, slash, _ = blob.name.partition("/")
                    if slash and task in found:
                        found[task].append(blob)
                    left -= 1
                    if left < 0:
                        break
        except ServiceError as error:
            if error.code != _UNREADABLE:
                raise
            left = -1
        if left >= 0:
            return found
        self._apart.add(beginning)
        return None
