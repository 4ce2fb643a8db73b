"""What goes, what stays, and why."""

from __future__ import annotations

import anyio
import pytest

from orchestrator.events import CleanupFailed, DownloadFailed, PoolReused
from orchestrator.limits import Limits
from orchestrator.spec.job import CleanupSpec, CleanupWhen
from orchestrator.states import (
    AllocationState,
    JobSnapshot,
    JobState,
    PoolSnapshot,
    PoolState,
    RunOutcome,
    TaskKey,
)
from tests.unit.handlers.cleanups import ALL, Account, Cleaned, cleaned, settled
from tests.unit.owner import LIMIT


async def test_everything_the_run_created_goes_and_nothing_is_owed_any_more() -> None:
    account = Account()
    made = await cleaned(account)
    assert made.deleted == ALL
    assert made.kept == {}
    assert made.end.leftovers == ()
    assert account.debts == []


async def test_the_job_goes_first_and_the_application_last() -> None:
    account = Account()
    await cleaned(account)
    calls = account.calls
    assert calls[:2] == ["get job job", "delete job job"]
    assert calls.index("wait job job") < calls.index("delete container in")
    assert calls[-1] == "delete container app"
    assert calls.index("wait pool pool") < calls.index("list pools")


async def test_the_pool_goes_as_soon_as_the_jobs_deletion_is_accepted() -> None:
    """A large job takes minutes to go, and the nodes cost money meanwhile."""
    account = Account()
    account.stuck.add("wait job job")
    made = await cleaned(account, limits=Limits(cleanup_timeout=0.1))
    assert "pool pool" in made.deleted
    assert set(made.end.leftovers) == {"job job", "container in", "container out", "application app"}


async def test_a_failed_run_keeps_what_goes_only_on_success() -> None:
    account = Account()
    policy = CleanupSpec(containers=CleanupWhen.ALWAYS, job=CleanupWhen.ON_SUCCESS, pool=CleanupWhen.NEVER)
    account.jobs = [JobSnapshot(id="job", state=JobState.COMPLETED, pool_id="pool")]
    made = await cleaned(account, policy, RunOutcome.TASKS_FAILED)
    assert made.deleted == {"container in", "container out", "application app"}
    assert made.kept == {
        "job job": "its policy is on_success and the run did not succeed",
        "pool pool": "its policy is never",
    }


async def test_what_a_policy_keeps_is_not_owed_and_what_others_use_still_is() -> None:
    account = Account()
    account.pools = [
        PoolSnapshot(
            id="another",
            state=PoolState.ACTIVE,
            allocation_state=AllocationState.STEADY,
            metadata=(("orchestrator_application", "app"),),
        )
    ]
    policy = CleanupSpec(containers=CleanupWhen.ALWAYS, job=CleanupWhen.ALWAYS, pool=CleanupWhen.NEVER)
    made = await cleaned(account, policy)
    assert made.kept["application app"] == "pool another uses it"
    assert account.debts == [("application", "app")]


async def test_a_job_that_stays_is_ended_so_that_nothing_runs_for_nobody() -> None:
    account = Account()
    policy = CleanupSpec(job=CleanupWhen.NEVER)
    made = await cleaned(account, policy)
    assert "terminate job job" in account.calls
    assert "delete job job" not in account.calls
    assert made.kept["job job"] == "its policy is never"


async def test_a_pool_that_the_run_did_not_create_is_never_deleted() -> None:
    account = Account([("job", "job")])
    made = Cleaned(account)
    with anyio.fail_after(LIMIT):
        await made.handler.handle(PoolReused(run_id="run", pool_id="pool", application="none"))
        await made.handler.handle(settled())
    assert made.kept == {"pool pool": "this run did not create it"}
    assert not any("pool pool" in call for call in account.calls)


async def test_a_pool_that_was_never_there_is_not_spoken_of() -> None:
    made = await cleaned(Account([("container", "in")]))
    assert (made.deleted, made.kept) == ({"container in"}, {})


async def test_a_job_that_the_run_did_not_create_is_left_alone() -> None:
    account = Account([("pool", "pool")])
    made = await cleaned(account)
    assert made.deleted == {"pool pool"}
    assert not any("job job" in call for call in account.calls)


@pytest.mark.parametrize(
    ("state", "stays"), [(JobState.ACTIVE, True), (JobState.DISABLED, True), (JobState.COMPLETED, False)]
)
async def test_a_pool_that_another_living_job_uses_is_left_behind(state: JobState, stays: bool) -> None:
    """The other run did not create it and won't delete it: who reads the result has to know."""
    account = Account()
    account.jobs = [
        JobSnapshot(id="job", state=JobState.ACTIVE, pool_id="pool"),
        JobSnapshot(id="theirs", state=state, pool_id="POOL"),
        JobSnapshot(id="elsewhere", state=JobState.ACTIVE, pool_id="other"),
    ]
    made = await cleaned(account)
    assert made.end.leftovers == (("pool pool",) if stays else ())
    assert ("delete pool pool" in account.calls) is not stays
    assert (("pool", "pool") in account.debts) is stays
    reasons = [
        why for event in made.events if isinstance(event, CleanupFailed) for *_, why in event.leftovers
    ]
    assert reasons == (["other jobs use it: theirs; delete it after them"] if stays else [])


async def test_the_runs_own_job_is_no_other_job_however_its_id_is_written() -> None:
    account = Account()
    account.jobs = [JobSnapshot(id="JOB", state=JobState.ACTIVE, pool_id="pool")]
    assert (await cleaned(account)).deleted == ALL


@pytest.mark.parametrize("thing", ["job job", "pool pool", "container in"])
async def test_what_another_run_created_under_the_same_name_is_left_alone(thing: str) -> None:
    """The ledger is written before the creation, which may have been refused because of theirs."""
    account = Account()
    account.theirs.add(thing)
    made = await cleaned(account)
    assert made.deleted == ALL - {thing}
    assert made.kept == {thing: "this run did not create it"}
    assert made.end.leftovers == ()
    assert account.debts == []
    assert f"delete {thing}" not in account.calls


async def test_somebody_elses_job_is_not_ended_either() -> None:
    account = Account()
    account.theirs.add("job job")
    await cleaned(account, CleanupSpec(job=CleanupWhen.NEVER))
    assert "terminate job job" not in account.calls


async def test_whose_a_thing_is_is_seen_after_the_question_and_right_before_the_deed() -> None:
    account = Account([("pool", "pool")])

    async def ask(kind: str, resource_id: str) -> bool:
        assert f"get {kind} {resource_id}" not in account.calls
        account.theirs.add(f"{kind} {resource_id}")
        return True

    assert (await cleaned(account, ASK, ask=ask)).kept == {"pool pool": "this run did not create it"}


async def test_an_application_that_another_jobs_preparation_brings_stays() -> None:
    account = Account()
    account.jobs = [
        JobSnapshot(
            id="theirs",
            state=JobState.ACTIVE,
            pool_id="other",
            metadata=(("orchestrator_application", "app"),),
        )
    ]
    assert (await cleaned(account)).kept == {"application app": "job theirs uses it"}


ASK = CleanupSpec(containers=CleanupWhen.ASK, job=CleanupWhen.ASK, pool=CleanupWhen.ASK)


async def test_whoever_can_be_asked_decides_one_question_at_a_time() -> None:
    asked: list[str] = []
    open_questions = 0

    async def ask(kind: str, resource_id: str) -> bool:
        nonlocal open_questions
        assert open_questions == 0
        open_questions += 1
        await anyio.lowlevel.checkpoint()
        open_questions -= 1
        asked.append(f"{kind} {resource_id}")
        return kind != "pool"

    made = await cleaned(Account(), ASK, RunOutcome.TASKS_FAILED, ask=ask)
    assert set(asked) == ALL
    assert made.kept == {"pool pool": "the answer was no"}


async def test_without_a_terminal_asking_means_on_success() -> None:
    assert (await cleaned(Account(), ASK)).deleted == ALL
    account = Account()
    account.jobs = [JobSnapshot(id="job", state=JobState.COMPLETED, pool_id="pool")]
    made = await cleaned(account, ASK, RunOutcome.TASKS_FAILED)
    assert made.deleted == set()
    assert "nobody can be asked" in made.kept["pool pool"]


async def test_outputs_that_could_not_be_downloaded_are_not_deleted() -> None:
    account = Account()
    account.debts[:] = [("container", "in-run"), ("container", "out-run")]
    made = Cleaned(account)
    key = TaskKey("job", "t")
    with anyio.fail_after(LIMIT):
        await made.handler.handle(DownloadFailed(run_id="run", key=key, name="a.out", reason="disk full"))
        await made.handler.handle(settled(RunOutcome.OUTPUTS_MISSING))
    assert made.deleted == {"container in-run"}
    assert made.kept == {"container out-run": "1 file(s) could not be downloaded and are still in it"}
