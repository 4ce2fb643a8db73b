"""What goes, what stays, and why."""

from __future__ import annotations

import anyio
import pytest

from orchestrator.events import (
    PoolReused,
)
from orchestrator.limits import Limits
from orchestrator.spec.job import CleanupSpec, CleanupWhen
from orchestrator.states import AllocationState, JobSnapshot, JobState, PoolSnapshot, PoolState, RunOutcome
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
    assert calls[0] == "delete job job"
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
async def test_a_pool_that_another_living_job_uses_stays(state: JobState, stays: bool) -> None:
    account = Account()
    account.jobs = [
        JobSnapshot(id="job", state=JobState.ACTIVE, pool_id="pool"),
        JobSnapshot(id="theirs", state=state, pool_id="pool"),
        JobSnapshot(id="elsewhere", state=JobState.ACTIVE, pool_id="other"),
    ]
    made = await cleaned(account)
    assert made.kept.get("pool pool") == ("other jobs use it: theirs" if stays else None)
    assert (("pool", "pool") in account.debts) is stays


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
