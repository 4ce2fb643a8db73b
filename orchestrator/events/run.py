"""Events of the run as a whole."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from orchestrator.events.event import Event
from orchestrator.results import JobResult
from orchestrator.states import RunOutcome, RunState, StallReason


class RunEvent(Event, frozen=True, kw_only=True):
    """Something about the run as a whole."""


class RunStarted(RunEvent, frozen=True, kw_only=True):
    """A run began; nothing has been created yet."""

    job_id: str
    pool_id: str
    inputs: int
    tasks: int
    account: str
    download_dir: Path


class RunResumed(RunEvent, frozen=True, kw_only=True):
    """A run whose program had died goes on, from what the journal and the service say.

    Args:
        run_state: where it had come to, None if to none.
        unfinished: accepted tasks whose end is not known here yet.
    """

    job_id: str
    run_state: RunState | None
    unfinished: int


class RunStateChanged(RunEvent, frozen=True, kw_only=True):
    """The run went on to its next state."""

    previous: RunState | None
    state: RunState


class RunInterrupted(RunEvent, frozen=True, kw_only=True):
    """The run will not end by itself any more: time limit, cancellation, or an error that ends it."""

    outcome: RunOutcome
    reason: str


class RunStalled(RunEvent, frozen=True, kw_only=True):
    """Nothing has moved for a while though tasks have not ended; told again when the reasons change.

    Args:
        unfinished: how many tasks have not ended.
        reasons: why, each with its remedy; what stops everything comes first.
    """

    unfinished: int
    reasons: tuple[StallReason, ...]


class AccessExtensionFailed(RunEvent, frozen=True, kw_only=True):
    """The addresses in tasks will stop working soon, or have: their container could not be kept open.

    Args:
        container: that they lead to.
        expiry: when they end, None where that was never known.
        reason: why they could not be extended; it is tried again.
    """

    container: str
    expiry: datetime | None
    reason: str


class RunFinished(RunEvent, frozen=True, kw_only=True):
    """The last event of a run: clean-up is over too."""

    result: JobResult
