"""What is done about a pool without its nodes and about nodes of no use, and how often."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
import pytest

from orchestrator.limits import Limits
from orchestrator.spec.marks import NET_KEY
from orchestrator.states import (
    AllocationState,
    FailureInfo,
    NodeSnapshot,
    NodeState,
    PoolSnapshot,
    PoolState,
)
from orchestrator.tracker import Remedies, RemedyKind

LIMITS = Limits(pool_nudges=2, nudge_backoff=10, node_grace=30, node_replacements=1)
TIME = datetime(2026, 1, 1, tzinfo=UTC)


def pool(
    code: str | None = None,
    *,
    target: int = 2,
    allocation: AllocationState = AllocationState.STEADY,
    **body: object,
) -> PoolSnapshot:
    errors = (FailureInfo(category="", code=code),) if code else ()
    return PoolSnapshot(
        id="pool",
        state=PoolState.ACTIVE,
        allocation_state=allocation,
        target_dedicated_nodes=target,
        resize_errors=errors,
        body=body,
    )


def node(state: NodeState, name: str = "n1", *, running: int = 0) -> NodeSnapshot:
    return NodeSnapshot(id=name, state=state, state_changed=TIME, running_tasks=running)


@pytest.fixture
def remedies() -> Remedies:
    return Remedies(LIMITS)


def test_nodes_that_did_not_come_are_asked_for_again_later_each_time_and_not_for_ever(
    remedies: Remedies,
) -> None:
    asked = []
    for now in range(400):
        for remedy in remedies.decide(pool("AllocationTimedout"), (), float(now)):
            assert (remedy.kind, remedy.dedicated) == (RemedyKind.RESIZE, 2)
            remedies.done(remedy, (), float(now))
            asked.append((now, remedy.attempt))
    assert asked == [(10, 1), (30, 2)]


@pytest.mark.parametrize(
    "code", ["AccountCoreQuotaReached", "AccountLowPriorityCoreQuotaReached", "ResizeStopped"]
)
def test_what_is_for_good_is_not_tried_again(remedies: Remedies, code: str) -> None:
    assert [remedies.decide(pool(code), (), float(now)) for now in range(100)] == [()] * 100


def test_a_pool_that_scales_itself_or_is_being_resized_is_left_alone(remedies: Remedies) -> None:
    for now in range(100):
        assert remedies.decide(pool("AllocationFailed", enableAutoScale=True), (), float(now)) == ()
        resizing = pool("AllocationFailed", allocation=AllocationState.RESIZING)
        assert remedies.decide(resizing, (), float(now)) == ()


def test_a_pool_under_its_last_net_is_helped_by_its_own_formula(remedies: Remedies) -> None:
    netted = msgspec.structs.replace(
        pool(
            "AllocationFailed", enableAutoScale=True, autoScaleFormula="f", autoScaleEvaluationInterval="PT5M"
        ),
        metadata=((NET_KEY, "on"),),
    )
    remedies.decide(netted, (), 0.0)
    (remedy,) = remedies.decide(netted, (), 10.0)
    assert (remedy.kind, remedy.formula, remedy.interval) == (RemedyKind.RESIZE, "f", "PT5M")


def test_an_unusable_node_gets_time_then_a_reboot_then_another_in_its_place(remedies: Remedies) -> None:
    bad = (node(NodeState.UNUSABLE),)
    assert remedies.decide(pool(), bad, 0.0) == ()
    (reboot,) = remedies.decide(pool(), bad, 31.0)
    assert (reboot.kind, reboot.node_id) == (RemedyKind.REBOOT, "n1")
    remedies.done(reboot, bad, 31.0)
    assert remedies.decide(pool(), (node(NodeState.REBOOTING),), 32.0) == ()
    assert remedies.decide(pool(), bad, 40.0) == ()
    (remove,) = remedies.decide(pool(), bad, 71.0)
    assert (remove.kind, remove.node_id) == (RemedyKind.REMOVE, "n1")
    remedies.done(remove, bad, 71.0)
    assert remedies.decide(pool(target=1, allocation=AllocationState.RESIZING), (), 72.0) == ()
    (again,) = remedies.decide(pool(target=1), (), 73.0)
    assert (again.kind, again.dedicated, again.attempt) == (RemedyKind.RESIZE, 2, 0)
    remedies.done(again, (), 73.0)
    assert remedies.decide(pool(), (node(NodeState.IDLE, "n2"),), 74.0) == ()


def test_a_failed_start_task_is_tried_again_at_once_and_only_once(remedies: Remedies) -> None:
    bad = (node(NodeState.START_TASK_FAILED),)
    assert remedies.hopes(bad)
    (reboot,) = remedies.decide(pool(), bad, 0.0)
    assert reboot.kind is RemedyKind.REBOOT
    remedies.done(reboot, bad, 0.0)
    assert not remedies.hopes(bad)


def test_no_more_nodes_are_replaced_than_the_limit_says(remedies: Remedies) -> None:
    bad = (node(NodeState.UNUSABLE, "n1"), node(NodeState.UNUSABLE, "n2"))
    removed = []
    for now in range(0, 1000, 10):
        for remedy in remedies.decide(pool(), bad, float(now)):
            remedies.done(remedy, bad, float(now))
            removed += [remedy.node_id] if remedy.kind is RemedyKind.REMOVE else []
    assert len(removed) == 1


def test_a_node_that_runs_tasks_is_never_touched(remedies: Remedies) -> None:
    busy = (node(NodeState.UNUSABLE, running=1),)
    assert [remedies.decide(pool(), busy, float(now)) for now in range(0, 1000, 50)] == [()] * 20


def test_a_reboot_that_is_refused_leads_to_removal_and_no_second_try(remedies: Remedies) -> None:
    bad = (node(NodeState.START_TASK_FAILED),)
    (reboot,) = remedies.decide(pool(), bad, 0.0)
    remedies.refused(reboot, 0.0)
    (remove,) = remedies.decide(pool(), bad, 1.0)
    assert remove.kind is RemedyKind.REMOVE
