"""What has expired is found by its own words; what somebody needs, or nobody marked, is left alone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.spec.marks import APPLICATION_KEY, EXPIRES_KEY, RUN_KEY, as_mark, ownership_marks
from orchestrator.states import (
    AllocationState,
    ContainerSnapshot,
    JobSnapshot,
    JobState,
    PoolSnapshot,
    PoolState,
)
from orchestrator.tracker.garbage import Account, Garbage, GarbageKind, find_garbage, node_hours

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
GRACE = timedelta(minutes=15)
PAST, FUTURE = NOW - timedelta(hours=1), NOW + timedelta(hours=1)


def marks(run: str, until: datetime | None, application: str | None = None) -> tuple[tuple[str, str], ...]:
    told = ownership_marks(run_id=run, job_id="j", owner="m-1", until=until)
    return (*told.items(), *(((APPLICATION_KEY, application),) if application else ()))


def job(run: str, until: datetime | None, *, pool: str = "p", **more: Any) -> JobSnapshot:
    application = more.pop("application", None)
    more = {"state": JobState.ACTIVE, **more}
    return JobSnapshot(id=f"job-{run}", pool_id=pool, metadata=marks(run, until, application), **more)


def pool(run: str, until: datetime | None, application: str | None = None) -> PoolSnapshot:
    return PoolSnapshot(
        id="p",
        state=PoolState.ACTIVE,
        allocation_state=AllocationState.STEADY,
        metadata=marks(run, until, application),
    )


def container(run: str, until: datetime | None, application: str | None = None) -> ContainerSnapshot:
    return ContainerSnapshot(name=application or f"in-{run}", metadata=marks(run, until, application))


def found(*things: JobSnapshot | PoolSnapshot | ContainerSnapshot) -> dict[str, str | None]:
    account = Account(
        jobs=tuple(one for one in things if isinstance(one, JobSnapshot)),
        pools=tuple(one for one in things if isinstance(one, PoolSnapshot)),
        containers=tuple(one for one in things if isinstance(one, ContainerSnapshot)),
    )
    return {f"{one.kind} {one.id}": one.needed_by for one in find_garbage(account, now=NOW, grace=GRACE)}


def test_all_of_an_expired_run_can_go_the_application_last() -> None:
    everything = (job("a", PAST), pool("a", PAST, "app"), container("a", PAST), container("a", PAST, "app"))
    assert found(*everything) == {"job job-a": None, "pool p": None, "container in-a": None} | {
        "application app": None
    }
    assert list(found(*reversed(everything)))[-1] == "application app"


def test_what_somebody_stands_for_or_is_to_stay_is_not_found() -> None:
    for until in (FUTURE, None):
        things = (job("a", until), pool("a", until), container("a", until), container("a", until, "app"))
        assert found(*things) == {}


def test_clocks_may_differ_by_the_grace() -> None:
    assert found(container("a", NOW - GRACE)) == {}
    assert found(container("a", NOW - GRACE - timedelta(seconds=1))) == {"container in-a": None}


@pytest.mark.parametrize("metadata", [(), ((EXPIRES_KEY, as_mark(PAST)),), ((RUN_KEY, "a"),)])
def test_what_does_not_bear_our_marks_is_not_found(metadata: tuple[tuple[str, str], ...]) -> None:
    assert found(ContainerSnapshot(name="theirs", metadata=metadata)) == {}


def test_what_is_being_deleted_already_is_not_found() -> None:
    assert found(job("a", PAST, state=JobState.DELETING)) == {}


def test_a_pool_stays_while_a_living_job_of_anybody_is_on_it() -> None:
    assert found(pool("a", PAST), job("b", FUTURE, pool="P"))["pool p"] == "job job-b"
    nobodys = JobSnapshot(id="manual", state=JobState.DISABLED, pool_id="p")
    assert found(pool("a", PAST), nobodys)["pool p"] == "job manual"


def test_a_pool_goes_with_jobs_that_go_or_are_over() -> None:
    assert found(pool("a", PAST), job("a", PAST))["pool p"] is None
    assert found(pool("a", PAST), job("b", FUTURE, state=JobState.COMPLETED))["pool p"] is None


def test_an_application_stays_while_a_pool_or_a_living_job_names_it() -> None:
    assert found(container("a", PAST, "app"), pool("b", FUTURE, "app"))["application app"] == "pool p"
    assert found(container("a", PAST, "app"), pool("b", None, "app"))["application app"] == "pool p"
    named = job("b", FUTURE, application="app")
    assert found(container("a", PAST, "app"), named)["application app"] == "job job-b"


def test_an_application_stays_with_an_expired_pool_that_stays() -> None:
    things = (container("a", PAST, "app"), pool("a", PAST, "app"), job("b", FUTURE))
    assert found(*things) == {"pool p": "job job-b", "application app": "pool p"}


def test_containers_stay_while_their_runs_job_is_somebodys() -> None:
    assert found(container("a", PAST), job("a", FUTURE)) == {"container in-a": "job job-a"}
    assert found(container("a", PAST), job("b", FUTURE)) == {"container in-a": None}


def test_garbage_tells_whose_it_was() -> None:
    account = Account(jobs=(), pools=(), containers=(container("a", PAST),))
    assert find_garbage(account, now=NOW, grace=GRACE) == (
        Garbage(kind=GarbageKind.CONTAINER, id="in-a", run_id="a", owner="m-1", expired_at=PAST),
    )


@given(st.lists(st.one_of(st.none(), st.integers(-100, 10_000)), max_size=20))
def test_node_hours_are_summed_over_the_nodes_that_are_there(minutes: list[int | None]) -> None:
    since = [None if ago is None else NOW - timedelta(minutes=ago) for ago in minutes]
    assert node_hours(since, now=NOW) == pytest.approx(sum(max(ago or 0, 0) for ago in minutes) / 60)
