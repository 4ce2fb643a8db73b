"""Clean-up comes to its end, and names what is left."""

from __future__ import annotations

import anyio
import pytest

from orchestrator.events import (
    CleanupFailed,
)
from orchestrator.limits import Limits
from orchestrator.spec.job import CleanupSpec, CleanupWhen
from tests.unit.handlers.cleanups import ALL, Account, Cleaned, cleaned, settled
from tests.unit.owner import LIMIT, Owner


@pytest.mark.parametrize(
    "call",
    [
        *("get job job", "delete job job", "wait job job", "get pool pool", "delete pool pool"),
        *("wait pool pool", "look at container in", "delete container in"),
    ],
)
async def test_what_is_gone_already_counts_as_deleted(call: str) -> None:
    account = Account()
    account.gone.add(call)
    assert (await cleaned(account)).deleted == ALL


async def test_a_job_that_stays_but_is_gone_already_counts_as_deleted() -> None:
    account = Account()
    account.gone.add("terminate job job")
    assert "job job" in (await cleaned(account, CleanupSpec(job=CleanupWhen.NEVER))).deleted


@pytest.mark.parametrize(
    ("call", "leftover"),
    [
        ("delete job job", "job job"),
        ("delete pool pool", "pool pool"),
        ("delete container in", "container in"),
        ("list pools", "application app"),
        ("get job job", "job job"),
        ("get pool pool", "pool pool"),
        ("look at container in", "container in"),
    ],
)
async def test_one_failure_does_not_stop_the_others_and_is_named(call: str, leftover: str) -> None:
    account = Account()
    account.refused.add(call)
    made = await cleaned(account)
    assert made.deleted == ALL - {leftover}
    assert made.end.leftovers == (leftover,)
    (failure,) = (event for event in made.events if isinstance(event, CleanupFailed))
    ((kind, name, reason),) = failure.leftovers
    assert f"{kind} {name}" == leftover
    assert "it says no" in reason
    assert account.debts == [(kind, name)]


async def test_a_deletion_that_was_accepted_but_does_not_end_is_left_over() -> None:
    account = Account()
    account.lasting.add("pool")
    made = await cleaned(account)
    assert made.end.leftovers == ("pool pool",)
    assert ("pool", "pool") in account.debts


async def test_what_is_not_done_in_time_is_left_over() -> None:
    account = Account()
    account.stuck.add("delete pool pool")
    made = await cleaned(account, limits=Limits(cleanup_timeout=0.1))
    assert set(made.end.leftovers) == {"pool pool", "application app"}
    assert made.deleted == {"job job", "container in", "container out"}


async def test_stopping_lists_the_rest_as_left_over_at_once() -> None:
    account = Account()
    account.stuck.add("delete pool pool")
    made = Cleaned(account)
    async with Owner() as owner:
        with anyio.fail_after(LIMIT):
            over = anyio.Event()

            async def clean_up() -> None:
                await made.handler.handle(settled())
                over.set()

            owner.start(clean_up, "clean-up")
            await anyio.wait_all_tasks_blocked()
            made.handler.stop("interrupted twice")
            await over.wait()
            assert set(made.end.leftovers) == {"pool pool", "application app"}
    (failure,) = (event for event in made.events if isinstance(event, CleanupFailed))
    assert {reason for *_, reason in failure.leftovers} == {"interrupted twice"}


async def test_stopped_before_it_began_clean_up_still_names_what_is_owed() -> None:
    made = Cleaned(Account())
    made.handler.stop("interrupted twice")
    with anyio.fail_after(LIMIT):
        await made.handler.handle(settled())
    assert set(made.end.leftovers) == ALL


async def test_a_journal_that_can_not_be_read_is_no_reason_to_say_nothing() -> None:
    class Broken(Account):
        async def owed(self) -> list[tuple[str, str]]:
            raise ZeroDivisionError("oops")

    made = await cleaned(Broken())
    assert made.end.deleted == ()


async def test_a_second_settling_changes_nothing() -> None:
    account = Account()
    made = await cleaned(account)
    calls = len(account.calls)
    await made.handler.handle(settled())
    assert len(account.calls) == calls
    assert made.end.deleted != ()
