"""What can be written, and how the many small writes of a group become few statements."""

from __future__ import annotations

import asyncio
import enum
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from orchestrator.journal.event_json import encode


class Table(enum.Enum):
    """A table whose rows come by the thousand; the value is the statement that writes a whole array of them.

    One statement for all, since Python's lock is let go and has to be won again around every statement, which
    beside a busy loop takes milliseconds each time: measured, 20,000 rows one by one cost 3 s, and as one
    array 0.1 s. A row of a run that was never begun has no number for it, and is refused.
    """

    EVENTS = """
        INSERT INTO events (run, sequence, event, body)
        SELECT (SELECT number FROM runs WHERE run_id = value ->> 'run_id'),
            value ->> 'sequence', value ->> 'event', value
        FROM json_each(?)
    """
    INTENTS = """
        INSERT INTO intents (run, task_ids)
        SELECT (SELECT number FROM runs WHERE run_id = value ->> 0), value -> 1 FROM json_each(?)
    """
    CURSORS = """
        INSERT INTO cursors (run, handler, sequence)
        SELECT (SELECT number FROM runs WHERE run_id = value ->> 0), value ->> 1, value ->> 2
        FROM json_each(?) WHERE true
        ON CONFLICT DO UPDATE SET sequence = max(sequence, excluded.sequence)
    """
    RESULTS = """
        INSERT OR REPLACE INTO results (run, number, body)
        SELECT (SELECT number FROM runs WHERE run_id = value ->> 0), value ->> 1, value -> 2 FROM json_each(?)
    """


class Write:
    """Something to be written, and whoever waits for it.

    Args:
        future: gets the answer or the error, in its own loop.
        durable: it must be on the disk, and not only in the system's hands, before that.
        work: does it; None where `rows` of a `table` do.
        table: where the rows go.
        rows: what goes there.
    """

    __slots__ = ("durable", "future", "rows", "table", "work")

    def __init__(
        self,
        future: asyncio.Future[Any],
        *,
        durable: bool,
        work: Callable[[sqlite3.Connection], Any] | None = None,
        table: Table = Table.EVENTS,
        rows: Sequence[object] = (),
    ) -> None:
        self.future = future
        self.durable = durable
        self.work = work
        self.table = table
        self.rows = rows


def carry_out(connection: sqlite3.Connection, group: Iterable[Write]) -> list[Any]:
    """Write a group inside the transaction that the caller has begun.

    Args:
        connection: inside a transaction.
        group: in the order in which it came. What is no row comes first, so that a run has begun before its
            events come.

    Returns:
        What each write answers, in the order of the group.

    Raises:
        sqlite3.Error: the group can't be written.
    """
    rows: dict[Table, list[object]] = {}
    answers: list[Any] = []
    for write in group:
        if write.work is None:
            rows.setdefault(write.table, []).extend(write.rows)
            answers.append(None)
        else:
            answers.append(write.work(connection))
    for table, values in rows.items():
        connection.execute(table.value, (encode(values),))
    return answers
