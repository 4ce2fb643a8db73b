"""At the start: every run that was accepted goes on where the intake and the journal say that it is."""

from __future__ import annotations

import anyio
import msgspec
import structlog

from orchestrator.daemon.desk import Desk
from orchestrator.daemon.intake import Intake
from orchestrator.daemon.records import Phase, RunRecord
from orchestrator.errors import OrchestratorError, error_text
from orchestrator.journal import Journal
from orchestrator.runtime.job_run import JobRun
from orchestrator.runtime.orchestrator import Orchestrator
from orchestrator.states import RunOutcome

log = structlog.get_logger()

_PAGE = 1000


class TakingUp:
    """Puts back in line what waited, resumes what had begun, and writes down what had ended meanwhile.

    Runs in the journal that are none of this daemon's are resumed too: nobody else looks after them. One that
    can't be taken up (the account does not answer, another program drives it) is tried again and again.

    Args:
        intake: knows what was accepted.
        orchestrator: open.
        desk: takes the runs over.
        interval: seconds between two tries.
    """

    def __init__(self, *, intake: Intake, orchestrator: Orchestrator, desk: Desk, interval: float) -> None:
        self._intake = intake
        self._orchestrator = orchestrator
        self._desk = desk
        self._interval = interval
        self._left: tuple[RunRecord, ...] = ()
        self._told: dict[str, str] = {}

    async def begin(self) -> None:
        """Take up everything that can be."""
        self._left = tuple(await self._intake.unfinished())
        await self._take_up()

    async def go_on(self) -> None:
        """Try again with what is left, until nothing is."""
        while self._left or self._told:
            await anyio.sleep(self._interval)
            await self._take_up()

    async def _take_up(self) -> None:
        resumed = await self._resumed()
        left: list[RunRecord] = []
        for record in self._left:
            job_run = resumed.get(record.run_id)
            if job_run is not None:
                log.info("daemon.took_up", run=record.run_id)
                self._desk.adopt(record, job_run)
            elif record.phase is Phase.QUEUED:
                self._desk.queue(record)
            elif not await self._settled(record):
                left.append(record)
        self._left = tuple(left)

    async def _resumed(self) -> dict[str, JobRun]:
        """Resume what can be; a run that can't must not keep the others from going on."""
        resumed: dict[str, JobRun] = {}
        told: dict[str, str] = {}
        for kept in await self._orchestrator.unfinished():
            try:
                (resumed[kept.run_id],) = await self._orchestrator.resume(kept.run_id)
            except OrchestratorError as error:
                told[kept.run_id] = error_text(error)
                if self._told.get(kept.run_id) != told[kept.run_id]:
                    log.warning("daemon.not_taken_up", run=kept.run_id, error=told[kept.run_id])
        self._told = told
        return resumed

    async def _settled(self, record: RunRecord) -> bool:
        """Whether a run that was about to begin, or to end, when the daemon died, needs no more."""
        kept = await self._orchestrator.journal.run(record.run_id)
        if kept is None:
            self._desk.queue(record)
            return True
        if kept.outcome is None:
            return False
        outcome = RunOutcome(kept.outcome)
        result = await _result(record.run_id, self._orchestrator.journal)
        await self._intake.finished(record.run_id, outcome=outcome, result=result)
        return True


async def _result(run_id: str, journal: Journal) -> bytes | None:
    """The result that the run's last event tells; None if it died before it was told."""
    after = 0
    while rows := await journal.stream_rows(run_id=run_id, after=after, limit=_PAGE):
        after = rows[-1].number
        for row in rows:
            if row.event == "RunFinished":
                return msgspec.json.encode(msgspec.json.decode(row.body)["result"])
    return None
