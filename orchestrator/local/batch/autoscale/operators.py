"""What the operators do to which types.

Source of facts: the table "Operations" of the autoscale page. What is not in it is refused, also where
it would make sense (`timestamp - timeinterval`, `double + doubleVec`). Division by zero is an error
here; what the service does is not documented.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any, Final

from orchestrator.local.batch.autoscale.errors import CannotEvaluateError
from orchestrator.local.batch.autoscale.values import (
    Interval,
    Timestamp,
    Value,
    double,
    instant,
    interval,
    type_name,
    vector,
)

_COMPARISONS: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "<": operator.lt,
    "<=": operator.le,
    "==": operator.eq,
    ">=": operator.ge,
    ">": operator.gt,
    "!=": operator.ne,
}


def _divide(left: float, right: float) -> float:
    if right == 0:
        raise CannotEvaluateError("Division by zero")
    return left / right


_ARITHMETIC: Final[dict[str, Callable[[float, float], float]]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": _divide,
}


def truth(value: Value) -> bool:
    """Take a double for a condition.

    Args:
        value: of `?:`, `&&`, `||` or `!`.

    Returns:
        Whether it is not zero.

    Raises:
        CannotEvaluateError: it is no double.
    """
    if not isinstance(value, float):
        raise CannotEvaluateError(f"A condition must be a double, not a {type_name(value)}")
    return value != 0


def unary(symbol: str, value: Value) -> Value:
    """Apply `-` or `!`.

    Args:
        symbol: one of them.
        value: what follows it.

    Returns:
        The result.

    Raises:
        CannotEvaluateError: the operator does not take the type.
    """
    if isinstance(value, float):
        return -value if symbol == "-" else float(not truth(value))
    if isinstance(value, Interval) and symbol == "-":
        return interval(-value.ticks)
    raise CannotEvaluateError(f"Operator {symbol} does not take a {type_name(value)}")


def binary(symbol: str, left: Value, right: Value) -> Value:
    """Apply an operator between two values, other than `&&` and `||`.

    Args:
        symbol: of the operator.
        left: what precedes it.
        right: what follows it.

    Returns:
        The result; a comparison's is 1 or 0.

    Raises:
        CannotEvaluateError: the operator does not take the types, or the result does not exist.
    """
    if symbol in _COMPARISONS:
        result = _compared(symbol, left, right)
    elif isinstance(left, float) and isinstance(right, float):
        result = double(_ARITHMETIC[symbol](left, right))
    elif isinstance(left, tuple):
        result = _of_vectors(symbol, left, right)
    else:
        result = _of_times(symbol, left, right)
    if result is None:
        raise CannotEvaluateError(
            f"Operator {symbol} does not take a {type_name(left)} and a {type_name(right)}"
        )
    return result


def _compared(symbol: str, left: Value, right: Value) -> Value | None:
    if type(left) is not type(right) or isinstance(left, tuple):
        return None
    return float(_COMPARISONS[symbol](left, right))


def _of_vectors(symbol: str, left: tuple[float, ...], right: Value) -> Value | None:
    compute = _ARITHMETIC[symbol]
    if isinstance(right, float):
        return vector([compute(number, right) for number in left])
    if isinstance(right, tuple):
        if len(left) != len(right):
            raise CannotEvaluateError(f"The vectors have {len(left)} and {len(right)} elements")
        return vector([compute(*pair) for pair in zip(left, right, strict=True)])
    return None


def _of_times(symbol: str, left: Value, right: Value) -> Value | None:
    result: Value | None = None
    match symbol, left, right:
        case ("*", float(factor), Interval(ticks)) | ("*", Interval(ticks), float(factor)):
            result = interval(factor * ticks)
        case "/", Interval(ticks), float(divisor):
            result = interval(_divide(ticks, divisor))
        case "+", Interval(first), Interval(second):
            result = interval(first + second)
        case "-", Interval(first), Interval(second):
            result = interval(first - second)
        case ("+", Timestamp(at), Interval(ticks)) | ("+", Interval(ticks), Timestamp(at)):
            result = instant(at + ticks)
        case "-", Timestamp(first), Timestamp(second):
            result = interval(first - second)
    return result
