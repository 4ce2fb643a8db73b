"""What the journal gives back: runs, what they owe, and their events as they were written."""

from __future__ import annotations

from datetime import datetime

import msgspec


class Owed(msgspec.Struct, frozen=True, kw_only=True):
    """Something that a run has created, or was about to create.

    Args:
        run_id: of that run.
        kind: job, pool, container or application.
        resource_id: its id or name.
        since: when it was written down.
    """

    run_id: str
    kind: str
    resource_id: str
    since: datetime


class RunRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A run as the journal knows it.

    Args:
        run_id: of the run.
        job_id: of its job.
        pool_id: of its pool.
        account: the name of the account it runs on.
        endpoint: of the Batch service; empty where it was not written down.
        fingerprint: a hash of what was asked for; empty where it was not written down.
        state: `running` or `finished`.
        outcome: how it ended; None while it runs.
        started_at: when it was first written down.
        ended_at: when its end was; None while it runs.
        last_sequence: of its newest event; 0 if it has none.
    """

    run_id: str
    job_id: str
    pool_id: str
    account: str
    endpoint: str
    fingerprint: str
    state: str
    outcome: str | None
    started_at: datetime
    ended_at: datetime | None
    last_sequence: int


class StoredEvent(msgspec.Struct, frozen=True, kw_only=True):
    """An event as it was written, for whoever passes it on.

    Args:
        number: its place among the events of all runs; rises, and is never given again.
        run_id: of its run.
        sequence: its place in the run, from 1.
        event: the name of its class.
        body: the event as JSON.
    """

    number: int
    run_id: str
    sequence: int
    event: str
    body: bytes
