"""A pool waits for the release tasks that run on its nodes, but not for ever."""

from __future__ import annotations

import anyio

from orchestrator.limits import Limits
from orchestrator.spec.job import CleanupSpec, CleanupWhen
from orchestrator.states import JobState
from tests.unit.handlers.cleanups import ALL, Account, Cleaned, cleaned, settled
from tests.unit.owner import LIMIT, Owner

JOB_STAYS = CleanupSpec(containers=CleanupWhen.ALWAYS, job=CleanupWhen.NEVER, pool=CleanupWhen.ALWAYS)
QUICK = Limits(deletion_poll_interval=0.001)


async def test_the_pool_stays_until_a_job_with_a_release_task_is_gone() -> None:
    account = Account()
    gone = account.gates["wait job job"] = anyio.Event()
    made = Cleaned(account, has_release=True)
    over = anyio.Event()

    async def clean_up() -> None:
        await made.handler.handle(settled())
        over.set()

    async with Owner() as owner:
        with anyio.fail_after(LIMIT):
            owner.start(clean_up, "clean-up")
            await anyio.wait_all_tasks_blocked()
            assert "wait job job" in account.calls
            assert "delete pool pool" not in account.calls
            gone.set()
            await over.wait()
    assert made.deleted == ALL


async def test_the_pool_stays_until_a_job_that_is_kept_has_run_its_release_task() -> None:
    account = Account()
    account.states = [JobState.ACTIVE, JobState.TERMINATING, JobState.TERMINATING, JobState.COMPLETED]
    made = await cleaned(account, JOB_STAYS, limits=QUICK, has_release=True)
    assert set(made.kept) == {"job job"}
    calls = account.calls
    assert [call for call in calls[: calls.index("delete pool pool")] if "job job" in call] == [
        "get job job",
        "terminate job job",
        *["get job job"] * 3,
    ]


async def test_a_release_task_that_takes_too_long_does_not_save_the_pool() -> None:
    account = Account()
    account.stuck.add("wait job job")
    made = await cleaned(account, limits=Limits(cleanup_timeout=0.2), has_release=True)
    assert made.deleted == {"pool pool"}
    assert "job job" in made.end.leftovers


async def test_a_kept_job_that_never_completes_holds_nothing_up_for_ever() -> None:
    account = Account()
    account.states = [JobState.TERMINATING]
    limits = Limits(deletion_timeout=0.01, deletion_poll_interval=0.001)
    assert (await cleaned(account, JOB_STAYS, limits=limits, has_release=True)).deleted == ALL - {"job job"}


async def test_a_kept_job_that_is_gone_or_can_not_be_looked_at_is_not_waited_for() -> None:
    class Vanishing(Account):
        async def terminate_job(self, job_id: str, reason: str) -> bool:
            self.gone.add(f"get job {job_id}")
            return await super().terminate_job(job_id, reason)

    made = await cleaned(Vanishing(), JOB_STAYS, limits=QUICK, has_release=True)
    assert made.deleted == ALL - {"job job"}
    assert made.end.leftovers == ()


async def test_a_job_whose_deletion_fails_does_not_keep_the_pool() -> None:
    account = Account()
    account.refused.add("delete job job")
    assert (await cleaned(account, has_release=True)).deleted == ALL - {"job job"}
