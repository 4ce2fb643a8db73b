"""What on an account has expired and may go: pure. Nothing but the service's own words counts.

A thing is garbage when it says until when somebody stands for it, and that time has passed by more than a
grace, since clocks differ. It stays all the same while something that has not expired needs it: a pool that a
living job is on, a container whose run still has a job, an application that a pool or a job names. What bears
no marks, or no expiry, is never garbage, and what is being deleted is none any more.
"""

from __future__ import annotations

import enum
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta

import msgspec

from orchestrator.spec.marks import APPLICATION_KEY, OWNER_KEY, RUN_KEY, expires_at
from orchestrator.states import ContainerSnapshot, JobSnapshot, JobState, PoolSnapshot, PoolState

_LIVING = (JobState.ACTIVE, JobState.DISABLING, JobState.DISABLED, JobState.ENABLING, JobState.UNKNOWN)


class GarbageKind(enum.StrEnum):
    """The kinds of garbage, in the order in which they go."""

    JOB = "job"
    POOL = "pool"
    CONTAINER = "container"
    APPLICATION = "application"


class Garbage(msgspec.Struct, frozen=True, kw_only=True):
    """Something that has expired.

    Args:
        kind: what it is.
        id: its id or name.
        run_id: of the run that created it.
        owner: of the state directory whose program created it.
        expired_at: until when somebody stood for it.
        needed_by: what has not expired and still needs it; None if it may go.
    """

    kind: GarbageKind
    id: str
    run_id: str
    owner: str
    expired_at: datetime
    needed_by: str | None = None


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """All that is on an account, as it was seen.

    Args:
        pools: of the Batch account.
        jobs: of the Batch account.
        containers: of the storage account.
    """

    pools: tuple[PoolSnapshot, ...]
    jobs: tuple[JobSnapshot, ...]
    containers: tuple[ContainerSnapshot, ...]


def find_garbage(account: Account, *, now: datetime, grace: timedelta) -> tuple[Garbage, ...]:
    """Everything that has expired, in the order in which it can go.

    Args:
        account: as it was seen.
        now: an aware time.
        grace: how much later than it says a thing is taken for expired.
    """
    jobs = [
        _garbage(GarbageKind.JOB, job.id, job.metadata)
        for job in account.jobs
        if job.state is not JobState.DELETING and expired(job.metadata, now, grace)
    ]
    pools = [
        _garbage(GarbageKind.POOL, pool.id, pool.metadata, pool_user(account, pool.id, now=now, grace=grace))
        for pool in account.pools
        if pool.state is not PoolState.DELETING and expired(pool.metadata, now, grace)
    ]
    going = frozenset(pool.id for pool in pools if pool.needed_by is None)
    own, applications = [], []
    for container in account.containers:
        if not expired(container.metadata, now, grace):
            continue
        told = dict(container.metadata)
        if APPLICATION_KEY in told:
            user = application_user(account, container.name, now=now, grace=grace, going=going)
            applications.append(_garbage(GarbageKind.APPLICATION, container.name, told, user))
        else:
            user = run_user(account, told.get(RUN_KEY, ""), now=now, grace=grace)
            own.append(_garbage(GarbageKind.CONTAINER, container.name, told, user))
    return (*jobs, *pools, *own, *applications)


def pool_user(account: Account, pool_id: str, *, now: datetime, grace: timedelta) -> str | None:
    """What needs a pool: a job that lives on it and has not expired, whoever's it is.

    Args:
        account: as it was seen.
        pool_id: of the pool.
        now: as of `find_garbage`.
        grace: likewise.
    """
    for job in account.jobs:
        # A job says its pool's id as its creator wrote it; the service compares ids without case.
        same = (job.pool_id or "").lower() == pool_id.lower()
        if same and job.state in _LIVING and not expired(job.metadata, now, grace):
            return f"job {job.id}"
    return None


def run_user(account: Account, run_id: str, *, now: datetime, grace: timedelta) -> str | None:
    """What needs the containers of a run: its job, for as long as that has not expired.

    Args:
        account: as it was seen.
        run_id: of the run.
        now: as of `find_garbage`.
        grace: likewise.
    """
    for job in account.jobs:
        ours = dict(job.metadata).get(RUN_KEY) == run_id
        if ours and job.state in _LIVING and not expired(job.metadata, now, grace):
            return f"job {job.id}"
    return None


def application_user(
    account: Account,
    container: str,
    *,
    now: datetime,
    grace: timedelta,
    going: Collection[str] = (),
) -> str | None:
    """What needs an application: any pool that starts from it, and a job whose nodes bring it.

    A pool that has expired needs it too while it is there: its nodes may boot again.

    Args:
        account: as it was seen.
        container: of the application.
        now: as of `find_garbage`.
        grace: likewise.
        going: pools that go before it.
    """
    for pool in account.pools:
        if (APPLICATION_KEY, container) in pool.metadata and pool.id not in going:
            return f"pool {pool.id}"
    for job in account.jobs:
        names = (APPLICATION_KEY, container) in job.metadata
        if names and job.state in _LIVING and not expired(job.metadata, now, grace):
            return f"job {job.id}"
    return None


def node_hours(allocated: Iterable[datetime | None], *, now: datetime) -> float:
    """How long the nodes of a pool have been there, all together.

    Args:
        allocated: since when each of them is there; None where the service does not say.
        now: an aware time.

    Returns:
        Hours.
    """
    since = (max(now - moment, timedelta()) for moment in allocated if moment is not None)
    return sum(since, timedelta()) / timedelta(hours=1)


def expired(metadata: Iterable[tuple[str, str]], now: datetime, grace: timedelta) -> bool:
    """Whether nobody stands for a thing any more, by its own words.

    Args:
        metadata: of the thing.
        now: as of `find_garbage`.
        grace: likewise.
    """
    until = expires_at(metadata)
    return until is not None and RUN_KEY in dict(metadata) and until + grace < now


def _garbage(
    kind: GarbageKind,
    thing: str,
    metadata: Mapping[str, str] | Iterable[tuple[str, str]],
    needed_by: str | None = None,
) -> Garbage:
    told = dict(metadata)
    until = expires_at(told)
    if until is None:
        raise ValueError("what does not expire is no garbage")
    return Garbage(
        kind=kind,
        id=thing,
        run_id=told.get(RUN_KEY, ""),
        owner=told.get(OWNER_KEY, ""),
        expired_at=until,
        needed_by=needed_by,
    )
