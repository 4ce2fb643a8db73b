"""What the autoscale page says of whole formulas: sizes by time, by tasks, by slots, by preemption."""

from __future__ import annotations

from datetime import timedelta

import pytest

from orchestrator.local.batch.autoscale import Current, Metrics
from tests.unit.local.batch.autoscale.pool import BORN, NOW, POOL, run, sampled

BY_PENDING_TASKS = """
    first = 1;
    most = 25;
    percent = $PendingTasks.GetSamplePercent(180 * TimeInterval_Second);
    tasks = percent < 70 ? first : avg($PendingTasks.GetSample(180 * TimeInterval_Second));
    $TargetDedicatedNodes = min(most, tasks);
    $NodeDeallocationOption = taskcompletion;
"""


@pytest.mark.parametrize(("tasks", "nodes"), [(0, 0), (7, 7), (7000, 25)])
def test_a_pool_follows_its_pending_tasks_up_to_a_limit(tasks: int, nodes: int) -> None:
    evaluation = run(BY_PENDING_TASKS, sampled({"$PendingTasks": tasks}))
    assert evaluation.target_dedicated == nodes
    assert evaluation.deallocation_option == "taskcompletion"


def test_a_pool_too_young_for_samples_gets_its_first_nodes() -> None:
    evaluation = run(BY_PENDING_TASKS, sampled({"$PendingTasks": 9}), now=BORN + timedelta(seconds=100))
    assert evaluation.target_dedicated == 1


def test_preempted_nodes_are_replaced_by_dedicated_ones() -> None:
    formula = """
        most = 25;
        $TargetDedicatedNodes = min(most, $PreemptedNodeCount.GetSample(180 * TimeInterval_Second));
        $TargetLowPriorityNodes = min(most, most - $TargetDedicatedNodes);
    """
    evaluation = run(formula, sampled({"$PreemptedNodeCount": 4}))
    assert (evaluation.target_dedicated, evaluation.target_low_priority) == (4, 21)


def test_nodes_are_counted_by_their_slots() -> None:
    formula = """
        $samples = $ActiveTasks.GetSamplePercent(TimeInterval_Minute * 15);
        $tasks = $samples < 70 ? max(0, $ActiveTasks.GetSample(1))
            : max($ActiveTasks.GetSample(1), avg($ActiveTasks.GetSample(TimeInterval_Minute * 15)));
        $cores = $TargetDedicatedNodes * $TaskSlotsPerNode;
        $extraVMs = (($tasks - $cores) + 3) / $TaskSlotsPerNode;
        $TargetDedicatedNodes = max(0, min($TargetDedicatedNodes + $extraVMs, 30));
    """
    metrics = sampled({"$ActiveTasks": 41})
    assert run(formula, metrics).target_dedicated == 11
    one_slot = Current(target_dedicated=0, target_low_priority=0, dedicated=0, low_priority=0)
    assert run(formula, metrics, pool=one_slot).target_dedicated == 30


def test_a_pool_keeps_its_first_size_for_a_while() -> None:
    formula = """
        now = time();
        $TargetDedicatedNodes = 4;
        lifespan = now - time("2024-03-04T09:00:00Z");
        span = TimeInterval_Minute * 60;
        startup = TimeInterval_Minute * 10;
        $TargetDedicatedNodes = (lifespan > startup
            ? (max($RunningTasks.GetSample(span, 50), $ActiveTasks.GetSample(span, 50)) == 0
                ? 0 : $TargetDedicatedNodes) : 4);
    """
    idle = sampled({"$RunningTasks": 0, "$ActiveTasks": 0})
    assert run(formula, idle, now=BORN + timedelta(minutes=9)).target_dedicated == 4
    assert run(formula, idle).target_dedicated == 0
    assert run(formula, sampled({"$RunningTasks": 1, "$ActiveTasks": 0})).target_dedicated == 4


@pytest.mark.parametrize(("hour", "nodes"), [(7, 10), (8, 20), (17, 20), (18, 10)])
def test_working_hours_have_their_own_size(hour: int, nodes: int) -> None:
    formula = """
        $now = time() + (-6 * TimeInterval_Hour);
        $working = $now.hour >= 8 && $now.hour < 18 && $now.weekday >= 1 && $now.weekday <= 5;
        $TargetDedicatedNodes = $working ? 20:10;
    """
    local_hour = BORN.replace(hour=0) + timedelta(hours=hour + 6)
    assert run(formula, now=local_hour).target_dedicated == nodes
    assert run(formula, now=local_hour + timedelta(days=5)).target_dedicated == 10


def test_the_present_size_can_be_kept_or_scaled() -> None:
    assert run("$TargetDedicatedNodes = $CurrentDedicatedNodes * 1.5").target_dedicated == 3
    assert run("$TargetLowPriorityNodes = $CurrentLowPriorityNodes").target_low_priority == 1
    assert run("answer = 1").target_dedicated == POOL.target_dedicated


def test_the_full_name_wins_over_the_short_one() -> None:
    for formula in (
        "$TargetDedicated = 7; $TargetDedicatedNodes = 5",
        "$TargetDedicatedNodes = 5; $TargetDedicated = 7",
    ):
        assert run(formula).target_dedicated == 5
    evaluation = run("$TargetDedicated = $TargetDedicated + 5; $TargetLowPriority = $TargetDedicatedNodes")
    assert (evaluation.target_dedicated, evaluation.target_low_priority) == (7, 7)
    assert evaluation.results == (
        "$TargetDedicatedNodes=7;$TargetLowPriorityNodes=7;$NodeDeallocationOption=requeue"
    )


@pytest.mark.parametrize("option", ["requeue", "terminate", "taskcompletion", "retaineddata"])
def test_each_deallocation_option_has_its_word(option: str) -> None:
    evaluation = run(f"$NodeDeallocationOption = {option};")
    assert evaluation.deallocation_option == option
    assert evaluation.results.endswith(f"$NodeDeallocationOption={option}")


def test_stop_ends_the_formula_and_keeps_what_was_set() -> None:
    evaluation = run("$TargetDedicatedNodes = 1; stop(); $TargetDedicatedNodes = 9")
    assert evaluation.error is None
    assert evaluation.target_dedicated == 1


def test_samples_are_needed_only_where_the_formula_looks() -> None:
    assert (
        run("$TargetDedicatedNodes = 1 == 1 ? 3 : $CPUPercent.Count()", Metrics(BORN)).target_dedicated == 3
    )
    assert run("$TargetDedicatedNodes = (1 || $CPUPercent.Count()) + 1", now=NOW).target_dedicated == 2
