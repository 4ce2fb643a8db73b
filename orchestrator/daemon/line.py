"""The runs that wait and those that are under way, and whose turn it is. Pure."""

from __future__ import annotations

from orchestrator.daemon.records import RunRecord
from orchestrator.daemon.turns import in_line


class Line:
    """Puts runs in line; places are worked out once after each change, whoever asks.

    A run whose job is under way already, as another run, is passed over until that one is over: two runs
    can't have one job on the service, which compares their ids without case (REST: Job - Add).

    Attributes:
        waiting: by id; changed by the methods only.
        under_way: by id; changed by the methods only.
    """

    def __init__(self) -> None:
        self.waiting: dict[str, RunRecord] = {}
        self.under_way: dict[str, RunRecord] = {}
        self._jobs: dict[str, RunRecord] = {}
        self._order: tuple[RunRecord, ...] | None = None
        self._places: dict[str, int] = {}

    def join(self, record: RunRecord) -> None:
        """A run waits."""
        self.waiting[record.run_id] = record
        self._order = None

    def leave(self, run_id: str) -> bool:
        """A run waits no more; False if it did not."""
        self._order = None
        return self.waiting.pop(run_id, None) is not None

    def begin(self, record: RunRecord) -> None:
        """A run is under way."""
        self.leave(record.run_id)
        self.under_way[record.run_id] = record
        self._jobs.setdefault(record.job_id.lower(), record)

    def end(self, run_id: str) -> None:
        """A run is over."""
        record = self.under_way.pop(run_id, None)
        if record is not None and self._jobs.get(record.job_id.lower()) is record:
            del self._jobs[record.job_id.lower()]
        self._order = None

    def same_job(self, record: RunRecord) -> RunRecord | None:
        """The run under way whose job has the same id."""
        return self._jobs.get(record.job_id.lower())

    def next(self) -> RunRecord | None:
        """The run whose turn it is; None if nobody waits, or only for a job of the same id."""
        return next((record for record in self._in_order() if self.same_job(record) is None), None)

    def place(self, run_id: str) -> int | None:
        """The place of a run that waits, from 1."""
        self._in_order()
        return self._places.get(run_id)

    def _in_order(self) -> tuple[RunRecord, ...]:
        if self._order is None:
            self._order = in_line(self.waiting.values(), self.under_way.values())
            self._places = {record.run_id: place for place, record in enumerate(self._order, 1)}
        return self._order
