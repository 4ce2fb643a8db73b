"""What the real service answered, recorded or published."""

from __future__ import annotations

from datetime import timedelta

from orchestrator.local.batch.autoscale import Current, Metrics
from tests.unit.local.batch.autoscale.pool import BORN, NOW, POOL, UNCHANGED, failure, run, sampled


def test_a_target_alone_is_answered_with_the_three_variables_that_can_be_set() -> None:
    evaluation = run("$TargetDedicatedNodes=3")
    assert evaluation.results == (
        "$TargetDedicatedNodes=3;$TargetLowPriorityNodes=0;$NodeDeallocationOption=requeue"
    )
    assert evaluation.target_dedicated == 3
    assert evaluation.target_low_priority == 0
    assert evaluation.deallocation_option == "requeue"
    assert evaluation.error is None


def test_an_undefined_name_is_an_evaluation_error_and_the_results_are_the_present_targets() -> None:
    evaluation = run("$something_useless")
    assert evaluation.results == UNCHANGED
    assert evaluation.error is not None
    assert evaluation.error.body() == {
        "code": "AutoScalingFormulaEvaluationError",
        "message": "The specified auto-scaling formula has evaluation error",
        "values": [{"name": "Message", "value": "Line 1, Col 1: Undefined symbol: $something_useless"}],
    }


def test_a_name_without_a_dollar_sign_is_undefined_just_so() -> None:
    assert failure("something_useless") == "Line 1, Col 1: Undefined symbol: something_useless"


def test_missing_samples_have_their_own_code_and_the_place_of_the_parenthesis() -> None:
    formula = "$RunningTasks.GetSample(10 * TimeInterval_Second, 0 * TimeInterval_Second, 100);"
    evaluation = run(formula, sampled({"$RunningTasks": 0}), now=NOW + timedelta(seconds=15))
    assert evaluation.error is not None
    assert evaluation.error.body() == {
        "code": "InsufficientSampleData",
        "message": "Autoscale evaluation failed due to insufficient sample data",
        "values": [
            {
                "name": "Message",
                "value": "Line 1, Col 24: Insufficient data from data set: "
                "$RunningTasks wanted 100%, received 0%",
            }
        ],
    }


def test_seventy_percent_of_the_samples_are_wanted_when_the_formula_does_not_say() -> None:
    # batch-shipyard#138: line 9, column 43 of a formula whose GetSample says nothing of a percentage.
    formula = "\n" * 8 + "samplevecavg = avg($PendingTasks.GetSample(TimeInterval_Minute * 10));"
    young = sampled({"$PendingTasks": 1}, since=NOW + timedelta(seconds=1))
    assert failure(formula, young) == (
        "Line 9, Col 43: Insufficient data from data set: $PendingTasks wanted 70%, received 0%"
    )


def test_the_formulas_own_variables_follow_in_the_order_of_their_characters() -> None:
    # Published pool: 29 of 30 samples, nothing to do, one node.
    formula = """// Samples of the last quarter of an hour.
        $samples = $ActiveTasks.GetSamplePercent(TimeInterval_Minute * 15);
        $tasks = $samples < 70 ? max(0, $ActiveTasks.GetSample(1)) :
            max($ActiveTasks.GetSample(1), avg($ActiveTasks.GetSample(TimeInterval_Minute * 15)));
        $targetVMs = $tasks > 0 ? $tasks : max(0, $TargetDedicatedNodes / 2);
        cappedPoolSize = 3;
        $TargetDedicatedNodes = max(1, min($targetVMs, cappedPoolSize));
        $NodeDeallocationOption = taskcompletion;"""
    metrics = Metrics(BORN, delay=timedelta(seconds=30))
    metrics.record("$ActiveTasks", BORN, 0)
    pool = Current(target_dedicated=1, target_low_priority=0, dedicated=1, low_priority=0)
    assert run(formula, metrics, pool=pool).results == (
        "$TargetDedicatedNodes=1;$TargetLowPriorityNodes=0;$NodeDeallocationOption=taskcompletion;"
        "$samples=96.6667;$targetVMs=0.5;$tasks=0;cappedPoolSize=3"
    )


def test_a_timestamp_is_written_with_milliseconds() -> None:
    formula = """
        $curTime = time("2016-10-13T19:18:47.805Z");
        $workHours = $curTime.hour >= 8 && $curTime.hour < 18;
        $isWeekday = $curTime.weekday >= 1 && $curTime.weekday <= 5;
        $isWorkingWeekdayHour = $workHours && $isWeekday;
        $TargetDedicatedNodes = $isWorkingWeekdayHour ? 20:10;
    """
    assert run(formula).results == (
        "$TargetDedicatedNodes=10;$TargetLowPriorityNodes=0;$NodeDeallocationOption=requeue;"
        "$curTime=2016-10-13T19:18:47.805Z;$isWeekday=1;$isWorkingWeekdayHour=0;$workHours=0"
    )


def test_a_fraction_of_a_node_is_cut_off() -> None:
    pool = Current(target_dedicated=0, target_low_priority=0, dedicated=0, low_priority=0)
    assert run("$TargetDedicatedNodes = 2.9; $TargetLowPriorityNodes = 1 / 2", pool=pool).results == (
        "$TargetDedicatedNodes=2;$TargetLowPriorityNodes=0;$NodeDeallocationOption=requeue"
    )
    assert POOL.target_dedicated == 2
