"""What is refused, with its code and its place."""

from __future__ import annotations

import pytest

from orchestrator.local.batch.autoscale import FormulaError, Position, check_syntax
from orchestrator.local.batch.autoscale.variables import UNKNOWABLE
from tests.unit.local.batch.autoscale.pool import failure, run, sampled


@pytest.mark.parametrize(
    ("formula", "line", "column"),
    [
        ("", 1, 1),
        ("// nothing", 1, 11),
        (";;", 1, 3),
        ("a = ", 1, 5),
        ("a = 1 b = 2", 1, 7),
        ("a = 1\n$NodeDeallocationOption = requeue", 2, 1),
        ("a = (1", 1, 7),
        ("a = 1;\r\n  b = )", 2, 7),
        ("a = 1 ? 2", 1, 10),
        ("a = min(1,)", 1, 11),
        ("a = 1 % 2", 1, 7),
        ('a = "open', 1, 5),
        ("a = 'single'", 1, 5),
        ("a = [1,2]", 1, 5),
        ("a = b = c", 1, 7),
        ("1 = a", 1, 3),
        ("a = $x.$y", 1, 8),
        ("a = 1. ", 1, 8),
        ("a = .5", 1, 5),
        ("a = 5x", 1, 6),
        ("$ = 1", 1, 1),
        ("a = +1", 1, 5),
        ("/* a */", 1, 1),
        ("a = 1e999", 1, 5),
        ("a = " + "(" * 40 + "1" + ")" * 40, 1, 37),
        (";".join(["a=1"] * 101), 1, 401),
    ],
)
def test_a_syntax_error_names_its_place(formula: str, line: int, column: int) -> None:
    with pytest.raises(FormulaError) as caught:
        check_syntax(formula)
    assert caught.value.code == "AutoScalingFormulaSyntaxError"
    assert caught.value.position == Position(line, column)
    evaluation = run(formula)
    assert evaluation.error is not None
    assert evaluation.error.values == caught.value.values


@pytest.mark.parametrize(
    ("formula", "column"),
    [
        ("a = 1 + none", 9),
        ("a = none(1)", 5),
        ('a = 1 + "x"', 7),
        ("a = 1 ? 2 : 3; b = a / 0", 22),
        ("$TargetDedicatedNodes = requeue", 1),
        ("a = 1; $TargetLowPriorityNodes = vec(1)", 8),
        ("$NodeDeallocationOption = 1", 1),
        ('$NodeDeallocationOption = "later"', 1),
        ("$PendingTasks = 1", 1),
        ("$CPUPercent = 1", 1),
        ("TimeInterval_Day = TimeInterval_Hour", 1),
        ("requeue = 1", 1),
        ("a = 0 - 1; $TargetDedicatedNodes = a", 12),
        ("$TargetDedicatedNodes = 3000000000", 1),
        ("$TargetDedicated = -1", 1),
        ("a = $PendingTasks + 1", 5),
        ("a = $PendingTasks", 5),
        ("a = $PendingTasks.Count", 19),
        ("a = $PendingTasks.Sum()", 19),
        ("a = $PendingTasks.Count(1)", 24),
        ("a = $PendingTasks.GetSample()", 28),
        ("a = $PendingTasks.GetSample(-1)", 28),
        ('a = $PendingTasks.GetSample("1")', 28),
        ("a = $PendingTasks.GetSample(1, 2, 3)", 28),
        ("a = $PendingTasks.GetSample(time(), time(), time())", 28),
        ("a = $PendingTasks.GetSamplePercent(5)", 35),
        ("a = $PendingTasks.GetSample(1).Count()", 32),
        ("a = $PendingTasks.GetSample(1).hour", 32),
        ("a = $FailedTasks.Count()", 5),
    ],
)
def test_an_evaluation_error_names_its_place(formula: str, column: int) -> None:
    check_syntax(formula)
    metrics = sampled({"$PendingTasks": 1})
    assert failure(formula, metrics).startswith(f"Line 1, Col {column}: ")
    error = run(formula, metrics).error
    assert error is not None
    assert error.code == "AutoScalingFormulaEvaluationError"


@pytest.mark.parametrize("name", sorted(UNKNOWABLE))
@pytest.mark.parametrize("use", ["{}", "{}.GetSample(1)", "{}.GetSamplePercent(TimeInterval_Hour)"])
def test_what_the_local_service_can_not_know_is_an_error_that_names_it(name: str, use: str) -> None:
    text = failure(f"$TargetDedicatedNodes = {use.format(name)}")
    assert text.startswith("Line 1, Col 25: ")
    assert name in text


def test_a_formula_has_at_most_8192_characters() -> None:
    check_syntax("a = 1;" + " " * (8192 - 6))
    with pytest.raises(FormulaError) as caught:
        check_syntax("a = 1;" + " " * (8193 - 6))
    assert caught.value.code == "AutoScalingFormulaTooLong"
    assert caught.value.message == "The specified auto-scaling formula exceeds lengths limit."


def test_an_evaluation_keeps_nothing_alive_but_its_error() -> None:
    error = run("a = 1 / 0").error
    assert error is not None
    assert error.__traceback__ is None
    assert error.__context__ is None


def test_a_hundred_statements_are_allowed() -> None:
    assert run(";".join(f"a{number}=1" for number in range(100))).error is None


@pytest.mark.parametrize(
    "formula",
    [
        "a = " + "+".join(["1"] * 4000),
        "a = " + "-" * 8000 + "1",
        "a = " + "1?1:" * 2000 + "1",
        "a = time()" + ".hour" * 1500,
        "a = " + "(" * 31 + "1" + ")" * 31,
        "a = " + "1 ? 1 && 1 == 1 < 1 + 1 * -min(" * 15 + "1" + ") : 1" * 15,
        "a = " + "0 || 1 && 1 == 1 < 1 + 1 * -min(" * 31 + "1" + ")" * 31,
    ],
)
def test_no_formula_is_too_deep_for_python(formula: str) -> None:
    error = run(formula[:8192]).error
    assert error is None or error.code.startswith("AutoScalingFormula")


def test_a_vector_can_not_grow_without_end() -> None:
    formula = "v = vec(1, 2, 3);" + "v = vec(v, v, v, v, v, v, v, v, v, v);" * 90
    assert "more than 10000 elements" in failure(formula)
