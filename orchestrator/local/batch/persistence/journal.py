"""Between the account and its state file: changes are collected, written together, and waited for.

While one batch is being written, the next one gathers, so that many requests share a commit. No answer
leaves before everything that it may have seen is down: a client is never told what a kill could undo.
"""

from __future__ import annotations

import asyncio
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import structlog

from orchestrator.local.batch.persistence.encoding import Batch, encode
from orchestrator.local.batch.persistence.loader import Loaded, load
from orchestrator.local.batch.persistence.schema import StateFileError, connect
from orchestrator.local.batch.persistence.writer import Writer
from orchestrator.local.batch.runtime import Signal
from orchestrator.local.batch.store.changes import Changes
from orchestrator.local.wire.api_error import ApiError

log = structlog.get_logger("orchestrator.local.batch")

_RETRY_AFTER: Final = 1.0
"""Seconds until a batch that could not be written is tried again: a full disk may have been cleared."""


def state_not_written(error: StateFileError) -> ApiError:
    """The state file can't be written, so nothing new is accepted."""
    message = "The local service can't write its state, and accepts nothing until it can."
    return ApiError(503, "ServerBusy", message, StateFile=str(error.path), Reason=error.reason)


class Journal:
    """Keeps an account in a file.

    Nothing here waits in a task of its own: steps are callbacks of the loop, the writing is in a thread.

    Args:
        path: of the state file. Its folder is there.
    """

    def __init__(self, path: Path) -> None:
        self.changes = Changes(self._wake)
        self._path = path
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="batch-journal")
        self._loop = asyncio.get_running_loop()
        self._writer: Writer | None = None
        self._failure: StateFileError | None = None
        self._writing = False
        self._taken = 0
        self._written = 0
        self._moved = Signal()

    async def open(self) -> Loaded:
        """Open the file and read what is in it.

        Returns:
            The records of earlier runs.

        Raises:
            StateFileError: if it is broken, not ours, or of a later version.
        """
        return await self._loop.run_in_executor(self._executor, self._open)

    def _open(self) -> Loaded:
        connection: sqlite3.Connection = connect(self._path)
        try:
            loaded = load(connection, self._path)
        except BaseException:
            connection.close()
            raise
        self._writer = Writer(connection, self._path)
        return loaded

    def check(self, *, reading: bool) -> None:
        """Refuse a request that could not be kept.

        Args:
            reading: one that changes nothing is served all the same.

        Raises:
            ApiError: ServerBusy, naming the file.
        """
        if self._failure is not None and not reading:
            raise state_not_written(self._failure)

    async def settle(self, *, reading: bool) -> None:
        """Wait until everything that has happened so far is down.

        Args:
            reading: whether the request changed nothing. While the file can't be written it tells what is
                in memory, or nobody could see what goes on.

        Raises:
            ApiError: ServerBusy, naming the file; what the request did may be written later all the same.
        """
        target = self._taken + self.changes.pending
        while self._written < target:
            if self._failure is not None:
                self.check(reading=reading)
                return
            await self._moved.wait()

    async def close(self) -> None:
        """Write what is left, as well as it goes, and close the file. May be called again."""
        while self._writer is not None and self._failure is None and (self._writing or self.changes.pending):
            await self._moved.wait()
        if self._failure is not None:
            log.error("batch.state.unsaved", file=str(self._path), reason=self._failure.reason)
        writer, self._writer = self._writer, None
        if writer is not None:
            await self._loop.run_in_executor(self._executor, _close, writer)
        self._executor.shutdown(wait=False)

    def _wake(self) -> None:
        # At the end of this step of the loop, when records are consistent and more may have changed.
        self._loop.call_soon(self._take)

    def _take(self) -> None:
        if self._writing or self._failure is not None or not self.changes.pending:
            return
        self._taken += 1
        try:
            batch = encode(self.changes.take())
        except Exception as error:  # the border to the records: what can't be kept must not be accepted
            log.exception("batch.state.not_encoded", file=str(self._path))
            self._failure = StateFileError(self._path, f"a record can't be written: {error}")
            self._moved.tell()
            return
        self._write(batch)

    def _write(self, batch: Batch) -> None:
        if self._writer is None:
            return
        self._writing = True
        writing = self._loop.run_in_executor(self._executor, self._writer.write, batch)
        writing.add_done_callback(lambda done: self._wrote(batch, done))

    def _wrote(self, batch: Batch, done: asyncio.Future[None]) -> None:
        self._writing = False
        error = None if done.cancelled() else done.exception()
        if error is None:
            if self._failure is not None:
                log.info("batch.state.written_again", file=str(self._path))
            self._failure = None
            self._written += 1
            self._take()
        else:
            failure = error if isinstance(error, StateFileError) else StateFileError(self._path, repr(error))
            if self._failure is None:
                log.error("batch.state.not_written", file=str(self._path), reason=failure.reason)
            self._failure = failure
            # The same batch again, and no other before it: the order is what keeps the records true.
            self._loop.call_later(_RETRY_AFTER, self._write, batch)
        self._moved.tell()


def _close(writer: Writer) -> None:
    try:
        writer.close()
    except StateFileError as error:
        log.warning("batch.state.not_closed", file=str(error.path), reason=error.reason)
