"""At the start: every run that was accepted goes on where the intake and the journal say that it is."""

from __future__ import annotations

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


async def take_up(*, intake: Intake, orchestrator: Orchestrator, desk: Desk) -> None:
    """Put back in line what waited, resume what had begun, and write down what had ended meanwhile.

    Runs in the journal that are none of this daemon's are resumed too: nobody else looks after them.

    Args:
        intake: knows what was accepted.
        orchestrator: open.
        desk: takes the runs over.
    """
    resumed = await _resumed(orchestrator)
    for record in await intake.unfinished():
        job_run = resumed.get(record.run_id)
        if job_run is not None:
            log.info("daemon.took_up", run=record.run_id)
            desk.adopt(record, job_run)
        elif record.phase is Phase.QUEUED:
            desk.queue(record)
        else:
            await _settle(record, intake=intake, journal=orchestrator.journal, desk=desk)


async def _resumed(orchestrator: Orchestrator) -> dict[str, JobRun]:
    """Resume what can be; a run that can't must not keep the others from going on."""
    resumed: dict[str, JobRun] = {}
    for kept in await orchestrator.unfinished():
        try:
            (resumed[kept.run_id],) = await orchestrator.resume(kept.run_id)
        except OrchestratorError as error:
            log.warning("daemon.not_taken_up", run=kept.run_id, error=error_text(error))
    return resumed


async def _settle(record: RunRecord, *, intake: Intake, journal: Journal, desk: Desk) -> None:
    """What becomes of a run that was about to begin, or to end, when the daemon died."""
    kept = await journal.run(record.run_id)
    if kept is None:
        desk.queue(record)
    elif kept.outcome is not None:
        outcome = RunOutcome(kept.outcome)
        await intake.finished(record.run_id, outcome=outcome, result=await _result(record.run_id, journal))
    else:
        await intake.finished(
            record.run_id,
            outcome=RunOutcome.ERROR,
            error="it could not be taken up again; `orchestrator resume` says why",
        )


async def _result(run_id: str, journal: Journal) -> bytes | None:
    """The result that the run's last event tells; None if it died before it was told."""
    after = 0
    while rows := await journal.stream_rows(run_id=run_id, after=after, limit=_PAGE):
        after = rows[-1].number
        for row in rows:
            if row.event == "RunFinished":
                return msgspec.json.encode(msgspec.json.decode(row.body)["result"])
    return None
