"""How many runs there are in each phase, or by outcome where they are over: counted once, then kept."""

from __future__ import annotations

import contextlib
import sqlite3
from collections import Counter
from collections.abc import Iterator, Mapping

_COUNTED = "SELECT coalesce(outcome, phase) AS state, count(*) FROM runs GROUP BY state"
_STATE = "SELECT coalesce(outcome, phase) FROM runs WHERE run_id = ?"


class RunCounts:
    """Kept by whoever changes a run, in the one thread that writes, so that who asks waits for no file.

    Args:
        connection: of the daemon's file, which nobody else writes to.

    Attributes:
        told: how many there are of each; a value of its own after each change.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self.told: Mapping[str, int] = dict(connection.execute(_COUNTED))

    @contextlib.contextmanager
    def follow(self, run_id: str) -> Iterator[None]:
        """Count a run anew after what is done to it inside, once that is written down."""
        before = self._state(run_id)
        yield
        after = self._state(run_id)
        if after != before:
            counts = Counter(self.told)
            counts.update({after: 1} if after is not None else ())
            counts.subtract({before: 1} if before is not None else ())
            self.told = {state: count for state, count in counts.items() if count}

    def _state(self, run_id: str) -> str | None:
        row = self._connection.execute(_STATE, (run_id,)).fetchone()
        return None if row is None else str(row[0])
