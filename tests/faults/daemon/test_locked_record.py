"""The daemon's own record can't be written for a while, as with a full disk: the line goes on afterwards."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from tests.acceptance.daemon.daemons import Daemon, until
from tests.faults.killable_service import KillableService
from tests.soak.traffic import simulated


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Keep everybody else from writing."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        yield
        connection.execute("ROLLBACK")


def test_a_run_whose_end_could_not_be_written_at_once_is_over_later_and_the_next_begins(
    tmp_path: Path,
) -> None:
    (tmp_path / "service").mkdir()
    with (
        KillableService(tmp_path / "service") as service,
        Daemon(
            tmp_path, service.env_file, limits={"journal_timeout": 0.2}, daemon_limits={"max_runs": 1}
        ) as daemon,
    ):
        first, second = (daemon.submit(simulated(1, seconds=seconds)) for seconds in (2.0, 0.0))
        with locked(daemon.state / "daemon.sqlite"):
            until(
                lambda: [line for line in daemon.said() if line["event"] == "run.not_written"],
                "the end of the first can't be written",
            )
        assert [daemon.ended(run_id)["outcome"] for run_id in (first, second)] == ["succeeded", "succeeded"]
