"""From looks at a pool and its nodes to events and reasons."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from orchestrator.events import NodeUnusable, PoolChanged, PoolResizeFailed, PoolSteady, StartTaskFailed
from orchestrator.states import (
    AllocationState,
    FailureInfo,
    NodeSnapshot,
    NodeState,
    PoolSnapshot,
    PoolState,
)
from orchestrator.tracker import PoolTracker

TIME = datetime(2026, 1, 1, tzinfo=UTC)
QUOTA = FailureInfo(category="", code="AccountCoreQuotaReached", message="no cores left")
REASON = FailureInfo(category="", code="NoReason", message="it says")
STEADY, RESIZING = AllocationState.STEADY, AllocationState.RESIZING


def pool(
    allocation: AllocationState = STEADY,
    *,
    current: int = 2,
    target: int = 2,
    errors: tuple[FailureInfo, ...] = (),
    state: PoolState = PoolState.ACTIVE,
) -> PoolSnapshot:
    return PoolSnapshot(
        id="pool",
        state=state,
        allocation_state=allocation,
        current_dedicated_nodes=current,
        target_dedicated_nodes=target,
        resize_errors=errors,
    )


def node(
    state: NodeState,
    name: str = "n1",
    *,
    errors: tuple[FailureInfo, ...] = (),
    exit_code: int | None = None,
    failure: FailureInfo | None = None,
) -> NodeSnapshot:
    return NodeSnapshot(
        id=name,
        state=state,
        state_changed=TIME,
        errors=errors,
        start_task_exit_code=exit_code,
        start_task_failure=failure,
    )


def texts(tracker: PoolTracker) -> tuple[str, ...]:
    return tuple(reason.text for reason in tracker.stall_reasons())


@pytest.fixture
def tracker() -> PoolTracker:
    return PoolTracker("run", "pool")


def test_a_pool_is_told_steady_once_after_each_resize(tracker: PoolTracker) -> None:
    looks = [pool(RESIZING, current=0), pool(RESIZING, current=1), pool(), pool(), pool(RESIZING), pool()]
    kinds = [[type(event) for event in tracker.observe_pool(each)] for each in looks]
    assert kinds == [[PoolChanged], [PoolChanged], [PoolSteady], [], [PoolChanged], [PoolSteady]]


def test_a_pool_first_seen_steady_is_told_steady(tracker: PoolTracker) -> None:
    (event,) = tracker.observe_pool(pool())
    assert isinstance(event, PoolSteady)
    assert (event.current_nodes, event.target_nodes) == (2, 2)


def test_resize_errors_are_told_once_and_again_after_another_resize(tracker: PoolTracker) -> None:
    failed = pool(current=0, errors=(QUOTA,))
    first = tracker.observe_pool(failed)
    assert [type(event) for event in first] == [PoolSteady, PoolResizeFailed]
    assert tracker.observe_pool(failed) == ()
    tracker.observe_pool(pool(RESIZING, current=0))
    again = tracker.observe_pool(failed)
    assert [event.errors for event in again if isinstance(event, PoolResizeFailed)] == [(QUOTA,)]


def test_nodes_tell_new_states_only(tracker: PoolTracker) -> None:
    (first,) = tracker.observe_nodes([node(NodeState.STARTING)])
    assert (first.previous, first.state) == (None, NodeState.STARTING)
    assert tracker.observe_nodes([node(NodeState.STARTING)]) == ()
    (second,) = tracker.observe_nodes([node(NodeState.IDLE)])
    assert (second.previous, second.state) == (NodeState.STARTING, NodeState.IDLE)


def test_a_node_that_is_no_longer_listed_is_told_as_leaving_once(tracker: PoolTracker) -> None:
    tracker.observe_nodes([node(NodeState.IDLE, "a"), node(NodeState.LEAVING_POOL, "b")])
    (event,) = tracker.observe_nodes([])
    assert (event.node_id, event.previous, event.state) == ("a", NodeState.IDLE, NodeState.LEAVING_POOL)
    assert tracker.observe_nodes([]) == ()


def test_a_failed_start_task_and_an_unusable_node_tell_why(tracker: PoolTracker) -> None:
    start, unusable = tracker.observe_nodes(
        [
            node(NodeState.START_TASK_FAILED, "a", exit_code=7, failure=QUOTA),
            node(NodeState.UNUSABLE, "b", errors=(QUOTA,)),
        ]
    )
    assert isinstance(start, StartTaskFailed)
    assert (start.exit_code, start.failure) == (7, QUOTA)
    assert isinstance(unusable, NodeUnusable)
    assert unusable.errors == (QUOTA,)


def test_a_healthy_pool_has_no_reasons_for_silence(tracker: PoolTracker) -> None:
    tracker.observe_pool(pool())
    tracker.observe_nodes([node(NodeState.IDLE, "a"), node(NodeState.RUNNING, "b")])
    assert texts(tracker) == ()


@pytest.mark.parametrize(
    ("snapshot", "nodes", "reasons"),
    [
        (
            pool(RESIZING, current=0),
            [],
            ("pool pool is resizing: it has 0 of 2 nodes", "pool pool has no nodes yet"),
        ),
        (
            pool(current=0, errors=(QUOTA,)),
            None,
            ("pool pool did not get its nodes: AccountCoreQuotaReached: no cores left",),
        ),
        (
            pool(current=0, target=0),
            [],
            ("pool pool has no nodes and wants none: its targets are 0",),
        ),
        (
            pool(state=PoolState.DELETING),
            [node(NodeState.IDLE)],
            ("pool pool is being deleted",),
        ),
        (
            pool(),
            [
                node(NodeState.START_TASK_FAILED, f"n{index}", exit_code=1, failure=REASON)
                for index in range(5)
            ],
            (
                "none of the 5 nodes of pool pool can run tasks",
                "5 nodes (n0, n1, n2, …): the start task failed with exit code 1 (NoReason: it says)",
            ),
        ),
        (
            pool(),
            [node(NodeState.IDLE, "a"), node(NodeState.UNUSABLE, "b", errors=(QUOTA,))],
            ("node b: unusable (AccountCoreQuotaReached: no cores left)",),
        ),
        (
            pool(),
            [node(NodeState.WAITING_FOR_START_TASK, "a"), node(NodeState.WAITING_FOR_START_TASK, "b")],
            (
                "none of the 2 nodes of pool pool can run tasks",
                "2 nodes (a, b): waiting for the start task",
            ),
        ),
    ],
)
def test_each_reason_for_silence_is_a_sentence(
    tracker: PoolTracker,
    snapshot: PoolSnapshot,
    nodes: list[NodeSnapshot] | None,
    reasons: tuple[str, ...],
) -> None:
    tracker.observe_pool(snapshot)
    if nodes is not None:
        tracker.observe_nodes(nodes)
    assert texts(tracker) == reasons


def test_a_pool_never_seen_or_missing_is_a_reason_too(tracker: PoolTracker) -> None:
    assert "nothing is known" in texts(tracker)[0]
    tracker.observe_pool(pool())
    tracker.observe_missing()
    assert texts(tracker) == ("pool pool does not exist",)
    tracker.observe_pool(pool())
    assert texts(tracker) == ()


@pytest.mark.parametrize(
    ("look", "states", "given_up"),
    [
        (pool(), [NodeState.START_TASK_FAILED] * 2, True),
        (pool(), [NodeState.START_TASK_FAILED, NodeState.IDLE], False),
        (pool(), [NodeState.START_TASK_FAILED, NodeState.UNUSABLE], False),
        (pool(RESIZING), [NodeState.START_TASK_FAILED] * 2, False),
        (pool(current=1), [NodeState.START_TASK_FAILED], False),
        (pool(current=1, errors=(QUOTA,)), [NodeState.START_TASK_FAILED], True),
        (pool(), [NodeState.START_TASK_FAILED], False),
        (pool(current=0, target=0), [], False),
    ],
)
def test_a_pool_is_hopeless_once_the_start_task_failed_on_every_node_it_will_get(
    tracker: PoolTracker, look: PoolSnapshot, states: list[NodeState], given_up: bool
) -> None:
    tracker.observe_pool(look)
    tracker.observe_nodes([node(state, f"n{index}", exit_code=9) for index, state in enumerate(states)])
    found = tracker.hopeless()
    assert (found is not None) == given_up
    assert found is None or "the start task failed with exit code 9" in str(found)
