"""The metadata by which what a run creates can be told, in the service itself, from everything else.

Who finds such a thing knows by them whose it is and until when somebody stands for it, without any journal:
`orchestrator gc` deletes what has expired. What is to stay has no `EXPIRES_KEY`, and is nobody's to delete.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

from orchestrator.spec.job import CleanupWhen

RUN_KEY: Final = "orchestrator_run"
"""Of pools, jobs and containers: the run that created it."""

JOB_KEY: Final = "orchestrator_job"
"""Of pools and containers: the job that it was created for."""

APPLICATION_KEY: Final = "orchestrator_application"
"""Of pools and jobs: the container that their start or preparation task brings the application from; of that
container: its own name."""

OWNER_KEY: Final = "orchestrator_owner"
"""Of pools, jobs and containers: the state directory whose program created it, and the machine's name."""

EXPIRES_KEY: Final = "orchestrator_expires"
"""Of what is to go when nobody stands for it any more: until when somebody does, renewed meanwhile."""

NET_KEY: Final = "orchestrator_last_net"
"""Of pools that are to shrink to nothing once nobody stands for them; see `last_net`."""

Pairs = tuple[tuple[str, str], ...]


def ownership_marks(*, run_id: str, job_id: str, owner: str, until: datetime | None) -> dict[str, str]:
    """What a thing is marked with when it is created.

    Args:
        run_id: of the run that creates it.
        job_id: of the run's job.
        owner: as the ledger tells it.
        until: when it expires unless it is renewed; None if it is to stay.
    """
    marks = {RUN_KEY: run_id, JOB_KEY: job_id, OWNER_KEY: owner}
    if until is not None:
        marks[EXPIRES_KEY] = as_mark(until)
    return marks


def as_mark(moment: datetime) -> str:
    """A time as it is written into metadata: UTC, whole seconds.

    Args:
        moment: an aware time.
    """
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def expires_at(metadata: Mapping[str, str] | Iterable[tuple[str, str]]) -> datetime | None:
    """Until when somebody stands for a thing.

    Args:
        metadata: of the thing.

    Returns:
        An aware time; None if there is none or it can't be read, so that the thing never expires.
    """
    try:
        moment = datetime.fromisoformat(dict(metadata).get(EXPIRES_KEY, ""))
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else None


def expiry(when: CleanupWhen, *, now: datetime, lifetime: float) -> datetime | None:
    """When a thing that is created or renewed now expires.

    Args:
        when: the policy by which it is cleaned up.
        now: an aware time.
        lifetime: `Limits.ownership_lifetime`, seconds.

    Returns:
        None if the policy never deletes it.
    """
    return None if when is CleanupWhen.NEVER else now + timedelta(seconds=lifetime)


def renewed(
    metadata: Iterable[tuple[str, str]], until: datetime, *, enough: datetime | None = None
) -> Pairs | None:
    """The metadata with a later expiry, all else as it is.

    Args:
        metadata: of a thing.
        until: the new expiry.
        enough: an expiry after this is left as it is; `until` by default.

    Returns:
        None if there is nothing to change: it does not expire, or late enough.
    """
    pairs = tuple(metadata)
    present = expires_at(pairs)
    if present is None or present >= min(enough or until, until).replace(microsecond=0):
        return None
    return tuple((name, as_mark(until) if name == EXPIRES_KEY else value) for name, value in pairs)


def released(metadata: Iterable[tuple[str, str]]) -> Pairs | None:
    """The metadata of a thing that is to stay whatever becomes of its run.

    Args:
        metadata: of a thing.

    Returns:
        None if there is nothing to change.
    """
    pairs = tuple(metadata)
    rest = tuple(pair for pair in pairs if pair[0] not in {EXPIRES_KEY, NET_KEY})
    return None if rest == pairs else rest
