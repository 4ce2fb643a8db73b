"""The net's formula, evaluated by the local service's own reading of the language."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from orchestrator.local.batch.autoscale import Current, Evaluation, Metrics, evaluate
from orchestrator.spec import parse_job
from orchestrator.spec.last_net import LastNet, cast, wants_net

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
NET = LastNet(dedicated=3, low_priority=2, until=NOW, end=NOW + 4 * HOUR)


def at(moment: datetime, *, pending: int | None) -> Evaluation:
    """The formula at a time, with so many tasks pending since the day before; None: no sample is there."""
    metrics = Metrics(NOW - 24 * HOUR, period=timedelta(seconds=30))
    since = NOW - 24 * HOUR if pending is not None else NOW + 24 * HOUR
    metrics.record("$PendingTasks", since, pending or 0)
    current = Current(
        target_dedicated=1, target_low_priority=1, dedicated=1, low_priority=1, task_slots_per_node=1
    )
    result = evaluate(NET.formula, now=moment, metrics=metrics, current=current)
    assert result.error is None, result.error
    return result


@pytest.mark.parametrize("pending", [0, 5, None])
def test_a_pool_keeps_its_size_while_somebody_stands_for_it(pending: int | None) -> None:
    result = at(NOW - HOUR, pending=pending)
    assert (result.target_dedicated, result.target_low_priority) == (3, 2)


@pytest.mark.parametrize("pending", [1, None])
def test_then_as_long_as_it_has_work_or_nobody_knows(pending: int | None) -> None:
    result = at(NOW + HOUR, pending=pending)
    assert (result.target_dedicated, result.target_low_priority) == (3, 2)


def test_without_work_it_shrinks_to_nothing_when_its_tasks_have_ended() -> None:
    result = at(NOW + HOUR, pending=0)
    assert (result.target_dedicated, result.target_low_priority) == (0, 0)
    assert result.deallocation_option == "taskcompletion"


@pytest.mark.parametrize(("pending", "nodes"), [(0, 0), (1, 3)])
def test_a_pool_that_is_only_minutes_old_looks_at_what_there_is(pending: int, nodes: int) -> None:
    """The service gives no samples of a time of which it has less than 70 percent."""
    metrics = Metrics(NOW, period=timedelta(seconds=30))
    metrics.record("$PendingTasks", NOW, pending)
    current = Current(
        target_dedicated=3, target_low_priority=2, dedicated=3, low_priority=2, task_slots_per_node=1
    )
    result = evaluate(NET.formula, now=NOW + timedelta(minutes=5), metrics=metrics, current=current)
    assert (result.error, result.target_dedicated) == (None, nodes)


@pytest.mark.parametrize("pending", [5, None])
def test_at_the_end_it_shrinks_whatever_is_pending(pending: int | None) -> None:
    result = at(NOW + 5 * HOUR, pending=pending)
    assert (result.target_dedicated, result.target_low_priority) == (0, 0)


def test_a_net_is_known_again_by_its_formula_and_nothing_else_is() -> None:
    assert LastNet.read(NET.formula) == NET
    assert LastNet.read(NET.formula.replace("\n", "\r\n")) == NET
    for other in (None, "", "$TargetDedicatedNodes = 1;", NET.formula.replace("2026", "soon")):
        assert LastNet.read(other) is None


def test_a_net_is_extended_and_never_shortened() -> None:
    longer = NET.extended(until=NOW + HOUR, end=NOW)
    assert longer == LastNet(dedicated=3, low_priority=2, until=NOW + HOUR, end=NET.end)


def test_a_pool_with_a_net_has_a_formula_in_place_of_targets() -> None:
    body = {"id": "p", "targetDedicatedNodes": 3, "targetLowPriorityNodes": 2}
    made = cast(body, until=NET.until, end=NET.end, interval="PT5M")
    assert made == {
        "id": "p",
        "enableAutoScale": True,
        "autoScaleFormula": NET.formula,
        "autoScaleEvaluationInterval": "PT5M",
    }
    assert len(NET.formula) < 8192


def test_a_resize_timeout_that_was_asked_for_stays() -> None:
    body = {"id": "p", "targetDedicatedNodes": 3, "resizeTimeout": "PT30M"}
    assert cast(body, until=NET.until, end=NET.end, interval="PT5M") == body


@pytest.mark.parametrize(
    ("changes", "cleanup", "wanted"),
    [
        ({}, "always", True),
        ({}, "ask", True),
        ({}, "never", False),
        ({"last_net": False}, "always", False),
        ({"rest": {"enableAutoScale": True, "autoScaleFormula": "x = 1"}}, "always", False),
    ],
)
def test_a_net_is_cast_over_what_is_to_go_and_scaled_by_nobody_else(
    tmp_path: Path, changes: dict[str, Any], cleanup: str, wanted: bool
) -> None:
    image = {"publisher": "canonical", "offer": "ubuntu-24_04-lts", "sku": "server"}
    nodes = {} if "rest" in changes else {"target_dedicated_nodes": 1}
    pool = {"id": "p", "vm_size": "small", "image": image, **nodes, **changes}
    job = {"id": "j", "pool": pool, "cleanup": {"pool": cleanup}}
    spec = parse_job({**job, "tasks": [{"id": "t", "command_line": "true"}]}, base_dir=tmp_path, where="job")
    assert wants_net(spec) is wanted
