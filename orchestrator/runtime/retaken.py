"""A run whose program died, as its journal knows it: what it was to do, and how far it had come."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping

import msgspec

from orchestrator.errors import (
    JournalError,
    OrchestratorError,
    RunCancelledError,
    TimeLimitError,
)
from orchestrator.events import Event, RunInterrupted
from orchestrator.journal import Journal
from orchestrator.runtime.few_threads import in_few_threads
from orchestrator.runtime.history import RunHistory
from orchestrator.spec.keep import decode_plan
from orchestrator.spec.plan import RunPlan
from orchestrator.states import RunOutcome

_PAGE = 1000


class Retaken(msgspec.Struct, frozen=True, kw_only=True):
    """The past of a run that is taken up again.

    Args:
        history: of its events.
        doubtful: the tasks that it may have added without having heard of it.
        cursors: how far each handler had come.
        owed: what it had created and not deleted, as `kind id`.
    """

    history: RunHistory
    doubtful: frozenset[str]
    cursors: Mapping[str, int]
    owed: frozenset[str]


async def read_plan(journal: Journal, run_id: str) -> RunPlan:
    """What a run was to do.

    Raises:
        JournalError: its plan was not kept, or can't be read.
    """
    kept = await journal.plan(run_id)
    if not kept:
        raise JournalError(
            f"it has no plan of run {run_id}, which an older version began: what it created is listed by "
            "`orchestrator runs`, and has to be deleted by hand",
            path=str(journal.path),
        )
    try:
        return await in_few_threads(decode_plan, kept)
    except (msgspec.MsgspecError, ValueError) as error:
        told = f"the plan of run {run_id} can't be read: {error}"
        raise JournalError(told, path=str(journal.path)) from error


async def read_past(journal: Journal, run_id: str) -> Retaken:
    """How far a run had come. Whoever asks holds the run, so that nobody goes on with it meanwhile.

    Raises:
        JournalError: the journal can't be read.
    """
    history = RunHistory()
    async for event in events_of(journal, run_id):
        history.take(event)
    settled = history.accepted | history.rejected
    intended = await journal.intended(run_id)
    return Retaken(
        history=history,
        doubtful=frozenset(task_id for request in intended for task_id in request if task_id not in settled),
        cursors=await journal.cursors(run_id),
        owed=frozenset(f"{owed.kind} {owed.resource_id}" for owed in await journal.owed(run_id)),
    )


async def events_of(journal: Journal, run_id: str) -> AsyncIterator[Event]:
    """Every event of a run, in order, a page at a time."""
    after = 0
    while page := await journal.events(run_id, after=after, limit=_PAGE):
        for event in page:
            yield event
        after = page[-1].sequence


def interruption_error(event: RunInterrupted) -> OrchestratorError:
    """The error that had ended a run, from what was told of it."""
    match event.outcome:
        case RunOutcome.TIMED_OUT:
            return TimeLimitError(event.reason)
        case RunOutcome.CANCELLED:
            return RunCancelledError(event.reason)
        case _:
            return OrchestratorError(event.reason)
