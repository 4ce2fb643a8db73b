"""Puts batches down, each in one transaction. All of it blocks, in one thread."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from orchestrator.local.batch.persistence.encoding import Batch
from orchestrator.local.batch.persistence.schema import naming

_CHUNKS: Final = (512, 64, 8, 1)
"""Rows a statement. Each step of a statement gives the interpreter's lock away and must get it back, which
takes long while the service is busy: many rows a step keep the steps few."""


class Writer:
    """Writes the state file.

    Args:
        connection: of this thread, beginning no transaction by itself.
        path: of the file, for errors.
    """

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self._connection = connection
        self._path = path

    def write(self, batch: Batch) -> None:
        """Put a batch down; when this returns, no kill can undo it.

        Args:
            batch: which may have been put down before.

        Raises:
            StateFileError: if it can't be written; then nothing of it is.
        """
        execute = self._connection.execute
        with naming(self._path):
            execute("BEGIN IMMEDIATE")
            try:
                for kind, name in batch.dropped_resources:
                    execute("DELETE FROM resources WHERE kind=? AND name=?", (kind, name))
                    if kind == "job":
                        execute("DELETE FROM tasks WHERE job=?", (name,))
                        execute("DELETE FROM satisfied WHERE job=?", (name,))
                for stretch in batch.dropped_tasks:
                    execute("DELETE FROM tasks WHERE job=? AND sequence BETWEEN ? AND ?", stretch)
                self._put("resources", batch.resources)
                self._put("tasks", batch.tasks)
                self._put("satisfied", batch.satisfied)
                execute("COMMIT")
            except BaseException:
                # A full disk may have ended it already.
                if self._connection.in_transaction:
                    execute("ROLLBACK")
                raise

    def _put(self, table: str, rows: Sequence[tuple[Any, ...]]) -> None:
        done = 0
        for size in _CHUNKS:
            while len(rows) - done >= size:
                some = rows[done : done + size]
                marks = f"({','.join('?' * len(some[0]))})"
                self._connection.execute(
                    # The table's name is ours, one of three.
                    f"INSERT OR REPLACE INTO {table} VALUES {','.join([marks] * size)}",  # noqa: S608
                    [value for row in some for value in row],
                )
                done += size

    def close(self) -> None:
        """Bring everything into the one file and let it go."""
        with naming(self._path):
            self._connection.close()
