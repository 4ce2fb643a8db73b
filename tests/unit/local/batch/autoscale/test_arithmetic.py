"""Formulas by the thousand: Python computes the same, and no text makes anything else than a FormulaError."""

from __future__ import annotations

import math

from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.local.batch.autoscale import FormulaError, check_syntax
from orchestrator.local.batch.autoscale.functions import FUNCTIONS
from tests.unit.local.batch.autoscale.pool import run, sampled, value

Pair = tuple[str, str]
"""An expression of the language, and the same in Python, whose own parser and precedence are the oracle."""

NUMBERS = (st.integers(0, 50) | st.decimals("0.125", "9", places=3)).map(
    lambda number: (str(number), str(float(number)))
)
PYTHONS = {"&&": "and", "||": "or"}


def _arithmetic(parts: tuple[Pair, str, Pair]) -> Pair:
    (left, python_left), sign, (right, python_right) = parts
    return f"{left} {sign} {right}", f"{python_left} {sign} {python_right}"


def _condition(parts: tuple[Pair, str, Pair]) -> Pair:
    # In parentheses, because comparisons chain in Python and `and` does not give 1 or 0.
    (left, python_left), sign, (right, python_right) = parts
    return f"({left} {sign} {right})", f"float(bool({python_left} {PYTHONS.get(sign, sign)} {python_right}))"


def _choice(parts: tuple[Pair, Pair, Pair]) -> Pair:
    (test, python_test), (yes, python_yes), (no, python_no) = parts
    return f"({test} ? {yes} : {no})", f"({python_yes} if {python_test} else {python_no})"


def _call(parts: tuple[str, Pair, Pair]) -> Pair:
    name, (left, python_left), (right, python_right) = parts
    arguments = f"({left}, {right})"
    python_arguments = f"(({python_left}, {python_right}))"
    return name + arguments, name + python_arguments


def _nest(inner: st.SearchStrategy[Pair]) -> st.SearchStrategy[Pair]:
    signs = st.sampled_from(["<", "<=", "==", ">=", ">", "!=", "&&", "||"])
    return st.one_of(
        st.tuples(inner, st.sampled_from("+-*/"), inner).map(_arithmetic),
        st.tuples(inner, signs, inner).map(_condition),
        st.tuples(inner, inner, inner).map(_choice),
        st.tuples(st.sampled_from(["min", "max", "sum"]), inner, inner).map(_call),
        inner.map(lambda pair: (f"({pair[0]})", f"({pair[1]})")),
        inner.map(lambda pair: (f"-({pair[0]})", f"-({pair[1]})")),
        inner.map(lambda pair: (f"!({pair[0]})", f"float(not ({pair[1]}))")),
    )


@settings(max_examples=400, deadline=None)
@given(st.recursive(NUMBERS, _nest, max_leaves=25))
def test_arithmetic_agrees_with_python(pair: Pair) -> None:
    formula, python = pair
    try:
        expected = float(eval(python))
    except ZeroDivisionError:
        error = run(f"answer = {formula}").error
        assert error is not None
        assert "Division by zero" in str(error)
        return
    if math.isfinite(expected):
        assert value(formula) == f"{expected:.6g}"


WORDS = [
    *["$TargetDedicatedNodes", "$TargetDedicated", "$NodeDeallocationOption", "$TaskSlotsPerNode", "a", "b"],
    *[
        "$PendingTasks",
        "$PendingTasks.GetSample(",
        "$CPUPercent",
        ".",
        "GetSample",
        "GetSamplePercent",
        "Count",
    ],
    *["HistoryBeginTime", "(", ")", "(", ")", ",", ";", ";", "=", "=", "//", "\n"],
    *["+", "-", "*", "/", "<", "<=", "==", "!=", "!", "?", ":", "&&", "||"],
    *["0", "1", "70", "2.5", "1e308", '""', '"2024-03-04"', '"x"', "requeue"],
    *["TimeInterval_Minute", "TimeInterval_Year", "time()", "time().hour", "time", "rand()", "stop()"],
    *["vec(", "avg(", "max(", "val(", "std(", "lg(", "percentile("],
]
TEXTS = (
    st.lists(st.sampled_from(WORDS), max_size=40).map(" ".join)
    | st.text(max_size=60)
    | st.text('$aA1.(), ;=+-*/"\n', max_size=60)
)


def syntax_error(formula: str) -> FormulaError | None:
    try:
        check_syntax(formula)
    except FormulaError as error:
        return error
    return None


@settings(max_examples=600, deadline=None)
@given(TEXTS)
def test_no_text_makes_anything_else_than_a_formula_error(formula: str) -> None:
    evaluation = run(formula, sampled({"$PendingTasks": 3}))
    assert evaluation.results.startswith("$TargetDedicatedNodes=")
    refused = syntax_error(formula)
    if refused is not None:
        assert evaluation.error is not None
        assert evaluation.error.values == refused.values
    if evaluation.error is None:
        assert evaluation.target_dedicated is not None
        assert evaluation.target_dedicated >= 0
    else:
        assert evaluation.error.position is not None
        assert str(evaluation.error).startswith(f"{evaluation.error.position}: ")


VALUES = st.sampled_from(
    [
        "1",
        "0 - 2.5",
        "1e308",
        "vec()",
        "vec(1, 2)",
        '"text"',
        "time()",
        "TimeInterval_Year",
        "TimeInterval_Zero",
        "$PendingTasks.GetSample(3)",
        "$TargetDedicatedNodes",
        "terminate",
    ]
)
NAMES = sorted(FUNCTIONS | {"rand", "time"})
SIGNS = ["+", "-", "*", "/", "<", "<=", "==", ">=", ">", "!=", "&&", "||"]


def _use(parts: tuple[str, str, str]) -> str:
    kind, left, right = parts
    return f"a = {left}; b = {right}; {kind}"


@settings(max_examples=400, deadline=None)
@given(
    st.tuples(
        st.sampled_from([f"c = {name}(a, b)" for name in NAMES])
        | st.sampled_from([f"c = {name}(a)" for name in NAMES])
        | st.sampled_from([f"c = a {sign} b" for sign in SIGNS])
        | st.sampled_from(["c = -a", "c = !a", "c = a ? b : a", "$TargetDedicatedNodes = a", "c = a.hour"])
        | st.sampled_from(
            ["GetSample(a)", "GetSample(a, b)", "GetSample(a, b, 1)", "GetSamplePercent(a, b)"]
        ).map("c = $PendingTasks.{}".format),
        VALUES,
        VALUES,
    ).map(_use)
)
def test_no_pair_of_values_makes_anything_else_than_a_formula_error(formula: str) -> None:
    check_syntax(formula)
    evaluation = run(formula, sampled({"$PendingTasks": 3}))
    if evaluation.error is not None:
        assert evaluation.error.position is not None
        assert evaluation.error.code in {"AutoScalingFormulaEvaluationError", "InsufficientSampleData"}
