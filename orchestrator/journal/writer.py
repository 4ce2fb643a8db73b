"""The one thread that writes: what was queued while the last commit ran goes into the next one, together."""

from __future__ import annotations

import asyncio
import contextlib
import queue
import sqlite3
import threading
from pathlib import Path
from typing import Any, TypeAlias

from orchestrator.errors import JournalError
from orchestrator.journal.opening import explained
from orchestrator.journal.writes import Write, carry_out

# The most rows of one transaction: more would make whoever waits for the first wait for long.
_GROUP_ROWS = 10_000
# What is wrong with one write of a group, and not with the file.
_OWN_FAULT = (
    sqlite3.IntegrityError,
    sqlite3.InterfaceError,
    sqlite3.DataError,
    sqlite3.ProgrammingError,
    sqlite3.NotSupportedError,
)


_Outcome: TypeAlias = tuple[Write, Any, Exception | None]


class Writer:
    """Commits in groups. Nothing is told as written before its transaction is.

    Args:
        connection: in autocommit mode, with `synchronous = FULL`; used by this thread only.
        path: of the file, for errors.
    """

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self._connection = connection
        self._path = path
        self._durable = True
        self._queue: queue.SimpleQueue[Write | None] = queue.SimpleQueue()
        # A daemon: a journal that was never closed must not keep the program from ending.
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)
        self._thread.start()

    def put(self, write: Write) -> None:
        """Queue a write; never waits."""
        self._queue.put(write)

    def end(self) -> None:
        """Let the thread end after what is queued."""
        self._queue.put(None)

    def join(self) -> None:
        """Wait for the end of the thread; only after `end`."""
        self._thread.join()

    def _run(self) -> None:
        going_on = True
        while going_on:
            group, going_on = self._next_group()
            if group:
                _tell(self._commit(group))
        self._connection.close()

    def _next_group(self) -> tuple[list[Write], bool]:
        first = self._queue.get()
        if first is None:
            return [], False
        group, rows = [first], len(first.rows)
        while rows < _GROUP_ROWS:
            try:
                write = self._queue.get_nowait()
            except queue.Empty:
                break
            if write is None:
                return group, False
            group.append(write)
            rows += len(write.rows)
        return group, True

    def _commit(self, group: list[Write]) -> list[_Outcome]:
        try:
            answers = self._transaction(group)
        except sqlite3.Error as error:
            if not isinstance(error, _OWN_FAULT):
                return [(write, None, self._told(error)) for write in (*group, *self._queued())]
            if len(group) == 1:
                return [(group[0], None, self._told(error))]
        except Exception as error:  # such as a value that has no JSON form
            if len(group) == 1:
                return [(group[0], None, error)]
        else:
            return [(write, answer, None) for write, answer in zip(group, answers, strict=True)]
        # One of them is at fault, and harms nobody else.
        return [outcome for write in group for outcome in self._commit([write])]

    def _transaction(self, group: list[Write]) -> list[object]:
        connection = self._connection
        durable = any(write.durable for write in group)
        if durable is not self._durable:
            connection.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
            self._durable = durable
        connection.execute("BEGIN IMMEDIATE")
        try:
            answers = carry_out(connection, group)
            connection.execute("COMMIT")
        except BaseException:
            # SQLite may have rolled back by itself (a full disk does that).
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
        return answers

    def _queued(self) -> list[Write]:
        """What came while the failed transaction ran: it was asked for in the belief that all was well."""
        waiting: list[Write] = []
        while True:
            try:
                write = self._queue.get_nowait()
            except queue.Empty:
                return waiting
            if write is None:
                self._queue.put(None)
                return waiting
            waiting.append(write)

    def _told(self, error: sqlite3.Error) -> JournalError:
        told = explained(error, self._path)
        told.__cause__ = error
        return told


def _tell(outcomes: list[_Outcome]) -> None:
    """Wake whoever waits: one call into each loop, since each lets go of Python's lock and has to win it."""
    loops: dict[asyncio.AbstractEventLoop, list[_Outcome]] = {}
    for outcome in outcomes:
        loops.setdefault(outcome[0].future.get_loop(), []).append(outcome)
    for loop, told in loops.items():
        with contextlib.suppress(RuntimeError):  # the loop was closed, so nobody waits
            loop.call_soon_threadsafe(_resolve, told)


def _resolve(outcomes: list[_Outcome]) -> None:
    for write, answer, error in outcomes:
        if write.future.done():  # whoever waited was cancelled
            continue
        if error is None:
            write.future.set_result(answer)
        else:
            write.future.set_exception(error)
