"""A clean-up handler over an account in memory, and what is kept of what it did."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from datetime import UTC, datetime
from typing import Self

import anyio

from orchestrator.errors import NotFoundError, ServiceError
from orchestrator.events import (
    CleanupCompleted,
    Event,
    JobSettled,
    ResourceDeleted,
    ResourceKept,
)
from orchestrator.handlers import CleanupHandler
from orchestrator.limits import Limits
from orchestrator.spec.job import CleanupSpec, CleanupWhen
from orchestrator.states import (
    AllocationState,
    ContainerSnapshot,
    JobSnapshot,
    JobState,
    PoolSnapshot,
    PoolState,
    RunOutcome,
)
from tests.unit.owner import LIMIT

SEEN = datetime(2026, 3, 1, tzinfo=UTC)
ALWAYS = CleanupSpec(containers=CleanupWhen.ALWAYS, job=CleanupWhen.ALWAYS, pool=CleanupWhen.ALWAYS)
EVERYTHING = (
    ("container", "in"),
    ("container", "out"),
    ("application", "app"),
    ("pool", "pool"),
    ("job", "job"),
)


class Account:
    """A Batch and a storage account and the journal's record in memory; they note what is asked of them.

    A call that is in `gone` finds nothing, one in `refused` is refused, one in `stuck` never returns, and one
    in `gates` returns when its gate opens. What is in `theirs` was created by another run. Before a request
    that is in `changes` somebody changes the thing so many times. `expiring` marks everything.
    """

    def __init__(self, owed: Iterable[tuple[str, str]] = EVERYTHING) -> None:
        self.calls: list[str] = []
        self.gone: set[str] = set()
        self.refused: set[str] = set()
        self.stuck: set[str] = set()
        self.lasting: set[str] = set()
        self.gates: dict[str, anyio.Event] = {}
        self.theirs: set[str] = set()
        self.states = [JobState.ACTIVE]
        self.debts = list(owed)
        self.jobs: list[JobSnapshot] = []
        self.pools: list[PoolSnapshot] = []
        self.expiring: dict[str, str] = {}
        self.marked: dict[str, dict[str, str]] = {}
        self.changes: dict[str, int] = {}
        self.version = 0
        self.formula: str | None = None

    async def call(self, name: str) -> None:
        self.calls.append(name)
        await anyio.lowlevel.checkpoint()
        if name in self.stuck:
            await anyio.sleep_forever()
        if name in self.gates:
            await self.gates[name].wait()
        if name in self.gone:
            raise NotFoundError(operation=name, status=404, code="NotFound")
        if name in self.refused:
            raise ServiceError("it says no", operation=name, status=500, code="InternalError")

    def marks(self, thing: str) -> dict[str, str]:
        return {"orchestrator_run": "another" if thing in self.theirs else "run", **self.expiring}

    async def get_job(self, job_id: str) -> JobSnapshot:
        await self.call(f"get job {job_id}")
        state = self.states.pop(0) if len(self.states) > 1 else self.states[0]
        return JobSnapshot(
            id=job_id,
            state=state,
            metadata=tuple(self.marks(f"job {job_id}").items()),
            etag=f"etag {self.version}",
        )

    async def get_pool(self, pool_id: str) -> PoolSnapshot:
        await self.call(f"get pool {pool_id}")
        return PoolSnapshot(
            id=pool_id,
            state=PoolState.ACTIVE,
            allocation_state=AllocationState.STEADY,
            metadata=tuple(self.marks(f"pool {pool_id}").items()),
            etag=f"etag {self.version}",
            body={"autoScaleFormula": self.formula},
        )

    @property
    def lifetimes(self) -> Self:
        return self

    @property
    def containers(self) -> Self:
        return self

    async def look(self, container: str, /) -> ContainerSnapshot:
        await self.call(f"look at container {container}")
        return ContainerSnapshot(
            name=container, metadata=tuple(self.marks(f"container {container}").items()), modified=SEEN
        )

    async def mark(self, container: str, metadata: Iterable[tuple[str, str]], /) -> None:
        await self.call(f"mark container {container}")
        self.marked[f"container {container}"] = dict(metadata)

    async def mark_job(
        self, job_id: str, metadata: Iterable[tuple[str, str]], *, if_match: str | None
    ) -> None:
        await self.changed(f"mark job {job_id}", if_match)
        self.marked[f"job {job_id}"] = dict(metadata)

    async def mark_pool(
        self, pool_id: str, metadata: Iterable[tuple[str, str]], *, if_match: str | None
    ) -> None:
        await self.changed(f"mark pool {pool_id}", if_match)
        self.marked[f"pool {pool_id}"] = dict(metadata)

    async def disable_autoscale(self, pool_id: str) -> None:
        await self.call(f"disable autoscale {pool_id}")

    async def changed(self, name: str, if_match: str | None) -> None:
        """Somebody changes the thing between the look and the request, as often as `changes` says."""
        await self.call(name)
        assert if_match == f"etag {self.version}"
        if self.changes.get(name, 0) > 0:
            self.changes[name] -= 1
            self.version += 1
            raise ServiceError("changed", operation=name, status=412, code="ConditionNotMet")

    async def terminate_job(self, job_id: str, reason: str) -> bool:
        assert reason
        await self.call(f"terminate job {job_id}")
        return True

    async def delete_job(self, job_id: str, *, if_match: str | None = None) -> bool:
        await self.changed(f"delete job {job_id}", if_match)
        return True

    async def wait_job_gone(self, job_id: str) -> bool:
        await self.call(f"wait job {job_id}")
        return job_id not in self.lasting

    async def list_jobs(self) -> list[JobSnapshot]:
        await self.call("list jobs")
        return self.jobs

    async def delete_pool(self, pool_id: str, *, if_match: str | None = None) -> bool:
        await self.changed(f"delete pool {pool_id}", if_match)
        return True

    async def wait_pool_gone(self, pool_id: str) -> bool:
        await self.call(f"wait pool {pool_id}")
        return pool_id not in self.lasting

    async def list_pools(self) -> list[PoolSnapshot]:
        await self.call("list pools")
        return self.pools

    async def delete(self, container: str, /, *, unmodified_since: datetime | None = None) -> bool:
        name = f"delete container {container}"
        await self.call(name)
        assert unmodified_since == SEEN
        if self.changes.get(name, 0) > 0:
            raise ServiceError("changed", operation=name, status=412, code="ConditionNotMet")
        return True

    async def owed(self) -> list[tuple[str, str]]:
        await anyio.lowlevel.checkpoint()
        return list(self.debts)

    async def settle(self, kind: str, resource_id: str) -> None:
        await anyio.lowlevel.checkpoint()
        self.debts.remove((kind, resource_id))

    async def hand_over(self, kind: str, resource_id: str, heir: str) -> None:
        raise NotImplementedError


class Cleaned:
    """A clean-up handler whose events are kept."""

    def __init__(
        self,
        account: Account,
        policy: CleanupSpec = ALWAYS,
        *,
        ask: Callable[[str, str], Awaitable[bool]] | None = None,
        limits: Limits | None = None,
        has_release: bool = False,
    ) -> None:
        self.events: list[Event] = []
        self.handler = CleanupHandler(
            self.note,
            job_id="job",
            pool_id="pool",
            has_release=has_release,
            policy=policy,
            batch=account,
            storage=account,
            ledger=account,
            ask=ask,
            limits=limits or Limits(),
        )

    async def note(self, *events: Event) -> None:
        await anyio.lowlevel.checkpoint()
        self.events.extend(events)

    @property
    def end(self) -> CleanupCompleted:
        (end,) = (event for event in self.events if isinstance(event, CleanupCompleted))
        assert self.events[-1] is end
        return end

    @property
    def deleted(self) -> set[str]:
        told = {f"{event.kind} {event.id}" for event in self.events if isinstance(event, ResourceDeleted)}
        assert told == set(self.end.deleted)
        return told

    @property
    def kept(self) -> dict[str, str]:
        told = {
            f"{event.kind} {event.id}": event.reason
            for event in self.events
            if isinstance(event, ResourceKept)
        }
        assert set(told) == set(self.end.kept)
        return told


def settled(outcome: RunOutcome = RunOutcome.SUCCEEDED) -> JobSettled:
    return JobSettled(
        run_id="run",
        job_id="job",
        outcome=outcome,
        accepted=1,
        succeeded=1,
        failed=0,
        abandoned=0,
        missing_outputs=0,
    )


async def cleaned(
    account: Account,
    policy: CleanupSpec = ALWAYS,
    outcome: RunOutcome = RunOutcome.SUCCEEDED,
    *,
    ask: Callable[[str, str], Awaitable[bool]] | None = None,
    limits: Limits | None = None,
    has_release: bool = False,
) -> Cleaned:
    made = Cleaned(account, policy, ask=ask, limits=limits, has_release=has_release)
    with anyio.fail_after(LIMIT):
        await made.handler.handle(settled(outcome))
    return made


ALL = {f"{kind} {name}" for kind, name in EVERYTHING}
