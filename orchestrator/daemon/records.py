"""What the daemon knows of a run: values, kept in its own file from the moment the run is accepted."""

from __future__ import annotations

import enum
from datetime import datetime
from pathlib import Path

import msgspec

from orchestrator.states import RunOutcome


class Phase(enum.StrEnum):
    """Where a run is in the daemon's hands.

    QUEUED: accepted, durably; waits for its turn.
    RUNNING: handed to the runtime, whose journal knows the rest.
    FINISHED: over, clean-up included.
    """

    QUEUED = "queued"
    RUNNING = "running"
    FINISHED = "finished"


class Source(enum.StrEnum):
    """By which way a run came in."""

    HTTP = "http"
    INBOX = "inbox"
    RETRY = "retry"


class RunRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A run as the daemon wrote it down.

    Args:
        number: its place among all that were ever accepted, from 1.
        run_id: of the runtime's run too.
        submitter: whose turn it takes among those who wait.
        priority: higher ones go first.
        parent: the run whose failed tasks it does again.
        folder: of the input files that came with it; None where none did.
        results: the folder of its results; it has a folder for each task.
        cancelled: why it is to end early; None if nobody asked.
        outcome: how it ended; None before.
        result: the `JobResult` as JSON; None before the end, or where it never began.
        error: what kept it from beginning, or ended it.
    """

    number: int
    run_id: str
    job_id: str
    submitter: str
    priority: int
    source: Source
    name: str
    parent: str | None
    folder: Path | None
    results: Path
    phase: Phase
    accepted_at: datetime
    begun_at: datetime | None = None
    ended_at: datetime | None = None
    cancelled: str | None = None
    outcome: RunOutcome | None = None
    result: bytes | None = None
    error: str | None = None


class NewRun(msgspec.Struct, frozen=True, kw_only=True):
    """A run that is about to be accepted.

    Args:
        spec: the job as `encode_job` writes it; secrets are references.
        idempotency_key: the client's name for this wish; the same again gives the same run.
        body_hash: of all that was asked for under that key.
    """

    run_id: str
    job_id: str
    spec: bytes
    name: str = "job"
    submitter: str = ""
    priority: int = 0
    source: Source = Source.HTTP
    parent: str | None = None
    folder: Path | None = None
    idempotency_key: str | None = None
    body_hash: str = ""
