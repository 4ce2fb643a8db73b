"""From what is known when nothing moves to reasons and remedies."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from orchestrator.states import (
    AllocationState,
    FailureInfo,
    JobSnapshot,
    JobState,
    NodeSnapshot,
    NodeState,
    PoolSnapshot,
    PoolState,
    PreparationSnapshot,
    StallCode,
    SupportedImage,
    TaskSnapshot,
    TaskState,
    WaitingTask,
)
from orchestrator.tracker import Picture, PoolTracker, stall_reasons

NOW = datetime(2026, 1, 1, tzinfo=UTC)
IMAGE = {
    "imageReference": {"publisher": "Canonical", "offer": "ubuntu", "sku": "server", "version": "latest"}
}
DENIED = FailureInfo(category="usererror", code="BlobAccessDenied")


def error(code: str) -> FailureInfo:
    return FailureInfo(category="", code=code, message="it says")


def node(state: NodeState, *, enabled: bool = True, failure: FailureInfo | None = None) -> NodeSnapshot:
    return NodeSnapshot(
        id="n1", state=state, state_changed=NOW, scheduling_enabled=enabled, start_task_failure=failure
    )


def pool(*errors: FailureInfo, target: int = 1, current: int = 1, **more: Any) -> PoolSnapshot:
    return PoolSnapshot(
        id="pool",
        state=PoolState.DELETING if more.get("deleting") else PoolState.ACTIVE,
        allocation_state=AllocationState.STEADY,
        current_dedicated_nodes=current,
        target_dedicated_nodes=target,
        resize_errors=errors,
        task_slots_per_node=2,
        body=more.get("body", {}),
    )


def picture(seen: PoolSnapshot, *nodes: NodeSnapshot) -> Picture:
    tracker = PoolTracker("run", "pool")
    tracker.observe_pool(seen)
    tracker.observe_nodes(nodes)
    return Picture(
        trouble=tracker.stall_reasons(), pool=tracker.pool, nodes=tracker.nodes, unfinished=3, now=NOW
    )


def well(**more: Any) -> Picture:
    return msgspec.structs.replace(picture(pool(), node(NodeState.IDLE)), **more)


def image(end: datetime | None) -> SupportedImage:
    return SupportedImage(
        publisher="canonical",
        offer="ubuntu",
        sku="server",
        version="latest",
        node_agent_sku_id="agent",
        os_type="linux",
        verified=True,
        end_of_life=end,
    )


def codes(seen: Picture) -> list[StallCode]:
    return [reason.code for reason in stall_reasons(seen)]


POOLS = {
    StallCode.QUOTA: picture(pool(error("AccountCoreQuotaReached"), current=0)),
    StallCode.ALLOCATION_TIMEOUT: picture(pool(error("AllocationTimedout"), current=0)),
    StallCode.RESIZE_ERROR: picture(pool(error("AllocationFailed"), current=0)),
    StallCode.NO_NODES_WANTED: picture(pool(target=0, current=0)),
    StallCode.POOL_DELETING: picture(pool(deleting=True), node(NodeState.LEAVING_POOL)),
    StallCode.START_TASK_FAILED: picture(pool(), node(NodeState.START_TASK_FAILED)),
    StallCode.SAS_EXPIRED: picture(pool(), node(NodeState.START_TASK_FAILED, failure=DENIED)),
    StallCode.NODE_UNUSABLE: picture(pool(), node(NodeState.UNUSABLE)),
    StallCode.NODE_OFFLINE: picture(pool(), node(NodeState.OFFLINE)),
    StallCode.NODE_NOT_READY: picture(pool(), node(NodeState.STARTING)),
    StallCode.SCHEDULING_DISABLED: picture(pool(), node(NodeState.IDLE, enabled=False)),
    StallCode.JOB_DISABLED: well(job=JobSnapshot(id="job", state=JobState.DISABLED)),
    StallCode.JOB_ENDED: well(job=JobSnapshot(id="job", state=JobState.COMPLETED)),
    StallCode.SLOTS_TOO_LARGE: well(waiting=(WaitingTask(id="t", required_slots=4),)),
    StallCode.OUTAGE: well(outage="no answer for 300 s"),
    StallCode.PREPARATION_FAILED: well(
        preparations=(PreparationSnapshot(node_id="n1", succeeded=False, exit_code=3),)
    ),
    StallCode.DEPENDENCY_BLOCKED: well(
        waiting=(WaitingTask(id="t", depends_on=("first",)),),
        depended={
            "first": TaskSnapshot(id="first", state=TaskState.COMPLETED, state_changed=NOW, succeeded=False)
        },
    ),
    StallCode.DEPENDENCY_MISSING: well(
        waiting=(WaitingTask(id="t", depends_on=("first",)),), depended={"first": None}
    ),
    StallCode.UNEXPLAINED: well(),
}


@pytest.mark.parametrize("code", list(POOLS), ids=str)
def test_each_situation_has_its_reason(code: StallCode) -> None:
    assert code in codes(POOLS[code])


WAITING_IS_ENOUGH = {StallCode.NODE_NOT_READY, StallCode.NO_NODE_WORKS, StallCode.NO_NODES_YET}


@pytest.mark.parametrize("code", [code for code in POOLS if code not in WAITING_IS_ENOUGH], ids=str)
def test_each_reason_that_waiting_does_not_help_has_a_remedy(code: StallCode) -> None:
    reasons = stall_reasons(POOLS[code])
    assert [reason.code for reason in reasons if reason.code is code and not reason.remedy] == []


def test_a_pool_that_is_not_there_is_told() -> None:
    tracker = PoolTracker("run", "pool")
    tracker.observe_missing()
    assert codes(Picture(trouble=tracker.stall_reasons(), unfinished=1)) == [StallCode.POOL_MISSING]


def test_an_autoscale_formula_that_gives_nothing_is_named() -> None:
    seen = picture(pool(target=0, current=0, body={"enableAutoScale": True}))
    (reason,) = [each for each in stall_reasons(seen) if each.code is StallCode.NO_NODES_WANTED]
    assert "formula" in reason.text
    assert "formula" in reason.remedy


@pytest.mark.parametrize(
    ("images", "retired"),
    [
        ((image(None),), False),
        ((image(NOW + timedelta(days=1)),), False),
        ((image(NOW - timedelta(days=1)),), True),
        ((image(NOW - timedelta(days=1)), image(None)), False),
        ((), False),
    ],
)
def test_an_image_is_retired_when_no_support_for_it_is_left(
    images: tuple[SupportedImage, ...], retired: bool
) -> None:
    unusable = picture(pool(body={"virtualMachineConfiguration": IMAGE}), node(NodeState.UNUSABLE))
    seen = Picture(trouble=unusable.trouble, pool=unusable.pool, nodes=unusable.nodes, images=images, now=NOW)
    assert (StallCode.IMAGE_RETIRED in codes(seen)) is retired


def test_a_preparation_that_storage_refused_is_told_as_an_expired_address() -> None:
    seen = well(preparations=(PreparationSnapshot(node_id="n1", succeeded=False, failure=DENIED),))
    assert codes(seen) == [StallCode.SAS_EXPIRED]


def test_tasks_that_storage_refused_are_counted() -> None:
    (reason,) = stall_reasons(well(failures={DENIED: 7}))
    assert reason.code is StallCode.SAS_EXPIRED
    assert "7 tasks" in reason.text


def test_nothing_is_wrong_while_tasks_run_or_none_is_left() -> None:
    assert codes(well(running=1)) == []
    assert codes(well(unfinished=0)) == []


def test_a_preparation_that_runs_or_went_well_is_no_reason() -> None:
    fine = (PreparationSnapshot(node_id="n1", succeeded=True), PreparationSnapshot(node_id="n2"))
    assert codes(well(preparations=fine, running=1)) == []
