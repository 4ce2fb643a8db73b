"""What somebody changed between the look and the deed is looked at again, and what stays expires no more."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from orchestrator.spec.job import CleanupSpec, CleanupWhen
from orchestrator.spec.last_net import LastNet
from orchestrator.states import RunOutcome
from tests.unit.handlers.cleanups import Account, cleaned

KEPT = CleanupSpec(containers=CleanupWhen.ON_SUCCESS, job=CleanupWhen.ON_SUCCESS, pool=CleanupWhen.ON_SUCCESS)
LATER = datetime(2030, 1, 1, tzinfo=UTC)
NET = LastNet(dedicated=1, low_priority=0, until=LATER, end=LATER)


@pytest.mark.parametrize("thing", ["job job", "pool pool"])
async def test_what_was_changed_meanwhile_is_looked_at_again_and_then_deleted(thing: str) -> None:
    account = Account()
    account.changes[f"delete {thing}"] = 2
    made = await cleaned(account)
    assert thing in made.deleted
    assert account.calls.count(f"get {thing}") == 3


@pytest.mark.parametrize("thing", ["job job", "pool pool", "container in"])
async def test_what_others_keep_changing_is_left_and_listed(thing: str) -> None:
    account = Account()
    account.changes[f"delete {thing}"] = 100
    made = await cleaned(account)
    assert made.end.leftovers == (thing,)
    assert tuple(account.debts) == (tuple(thing.split()),)


async def test_what_stays_although_it_was_to_go_expires_no_more() -> None:
    account = Account()
    account.expiring = {"orchestrator_expires": "2026-03-01T12:00:00Z", "orchestrator_last_net": "on"}
    account.formula = NET.formula
    account.changes["mark pool pool"] = 1
    made = await cleaned(account, KEPT, RunOutcome.TASKS_FAILED)
    assert {thing.replace("container app", "application app") for thing in account.marked} == set(made.kept)
    assert all(marks == {"orchestrator_run": "run"} for marks in account.marked.values())
    assert "disable autoscale pool" in account.calls
    assert account.calls.index("mark job job") < account.calls.index("terminate job job")


async def test_a_formula_of_the_users_own_stays() -> None:
    account = Account([("pool", "pool")])
    account.expiring = {"orchestrator_expires": "2026-03-01T12:00:00Z"}
    account.formula = "$TargetDedicatedNodes = 1;"
    await cleaned(account, KEPT, RunOutcome.TASKS_FAILED)
    assert "disable autoscale pool" not in account.calls


async def test_what_can_not_be_released_is_kept_and_says_so() -> None:
    """A job that is over can't be changed any more."""
    account = Account([("job", "job")])
    account.expiring = {"orchestrator_expires": "2026-03-01T12:00:00Z"}
    account.refused.add("mark job job")
    made = await cleaned(account, KEPT, RunOutcome.TASKS_FAILED)
    assert "it still expires" in made.kept["job job"]


async def test_what_never_goes_is_not_even_looked_at() -> None:
    account = Account([("pool", "pool"), ("container", "in")])
    never = CleanupWhen.NEVER
    await cleaned(account, CleanupSpec(containers=never, job=never, pool=never))
    assert account.calls == []
