"""The predefined functions, other than those that need more than their arguments (`time`, `rand`, `stop`).

Source of facts: the table "Functions" of the autoscale page; `ceil`, `floor` and `round` came to it in
MicrosoftDocs/azure-docs#102020. `vec` is named there in passing. Not found, and chosen here: a
percentile is the element of the nearest rank with p from 0 to 100, halves round away from zero, and a
function of no values is an error where a number can't be told (`sum`, `len` and `norm` can).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Final

from orchestrator.local.batch.autoscale.errors import CannotEvaluateError
from orchestrator.local.batch.autoscale.values import Value, Vector, double, type_name, vector

_TWO: Final = 2
_PERCENT: Final = 100


def call(name: str, arguments: tuple[Value, ...]) -> Value:
    """Call a function.

    Args:
        name: one of FUNCTIONS.
        arguments: evaluated.

    Returns:
        Its result.

    Raises:
        CannotEvaluateError: it does not take such arguments, or the result does not exist.
    """
    if name in _AGGREGATES:
        return double(_AGGREGATES[name](flatten(name, arguments)))
    if name in _EACH:
        compute = _EACH[name]
        if len(arguments) == 1 and isinstance(arguments[0], float):
            return double(compute(arguments[0]))
        return vector([compute(number) for number in flatten(name, arguments)])
    if name == "vec":
        return flatten(name, arguments)
    if name in _ELEMENTS:
        match arguments:
            case (tuple(numbers), float(choice)):
                return _ELEMENTS[name](numbers, choice)
    raise refused(name, arguments)


def flatten(name: str, arguments: tuple[Value, ...]) -> Vector:
    """Make one doubleVec of a doubleVecList.

    Args:
        name: of the function, for the error.
        arguments: evaluated.

    Returns:
        All their numbers in order.

    Raises:
        CannotEvaluateError: one is neither a double nor a doubleVec.
    """
    numbers: list[float] = []
    for argument in arguments:
        if isinstance(argument, float):
            numbers.append(argument)
        elif isinstance(argument, tuple):
            numbers.extend(argument)
        else:
            raise refused(name, arguments)
    return vector(numbers)


def refused(name: str, arguments: tuple[Value, ...]) -> CannotEvaluateError:
    """Report arguments that a function or a method does not take.

    Args:
        name: of it.
        arguments: evaluated.

    Returns:
        The error to raise.
    """
    types = ", ".join(type_name(argument) for argument in arguments)
    return CannotEvaluateError(f"{name} does not take ({types})")


def _filled(name: str, numbers: Vector) -> Vector:
    if not numbers:
        raise CannotEvaluateError(f"{name} of no values")
    return numbers


def _mean(numbers: Vector) -> float:
    return sum(numbers) / len(numbers)


def _deviation(numbers: Vector) -> float:
    if len(numbers) < _TWO:
        raise CannotEvaluateError("std needs two values")
    mean = _mean(numbers)
    # The square is a product, because a power that is too large raises where a product is infinite.
    squares = sum((number - mean) * (number - mean) for number in numbers)
    return math.sqrt(squares / (len(numbers) - 1))


def _logarithm(name: str, compute: Callable[[float], float]) -> Callable[[float], float]:
    def checked(number: float) -> float:
        if number <= 0:
            raise CannotEvaluateError(f"{name} of a number that is not positive")
        return compute(number)

    return checked


def _rounded(number: float) -> float:
    return float(math.copysign(math.floor(abs(number) + 0.5), number))


def _percentile(numbers: Vector, percent: float) -> float:
    if not 0 <= percent <= _PERCENT:
        raise CannotEvaluateError("percentile is between 0 and 100")
    ordered = sorted(_filled("percentile", numbers))
    return ordered[max(0, math.ceil(percent / _PERCENT * len(ordered)) - 1)]


def _element(numbers: Vector, index: float) -> float:
    if not 0 <= int(index) < len(numbers) or index < 0:
        raise CannotEvaluateError(f"val has no element {index:.6g} in a vector of {len(numbers)}")
    return numbers[int(index)]


_AGGREGATES: Final[Mapping[str, Callable[[Vector], float]]] = {
    "avg": lambda numbers: _mean(_filled("avg", numbers)),
    "len": lambda numbers: float(len(numbers)),
    "max": lambda numbers: max(_filled("max", numbers)),
    "min": lambda numbers: min(_filled("min", numbers)),
    "norm": lambda numbers: math.hypot(*numbers),
    "range": lambda numbers: max(_filled("range", numbers)) - min(numbers),
    "std": _deviation,
    "sum": lambda numbers: float(sum(numbers)),
}

_EACH: Final[Mapping[str, Callable[[float], float]]] = {
    "ceil": lambda number: float(math.ceil(number)),
    "floor": lambda number: float(math.floor(number)),
    "lg": _logarithm("lg", math.log2),
    "ln": _logarithm("ln", math.log),
    "log": _logarithm("log", math.log10),
    "round": _rounded,
}

_ELEMENTS: Final[Mapping[str, Callable[[Vector, float], float]]] = {
    "percentile": _percentile,
    "val": _element,
}

FUNCTIONS: Final = frozenset({*_AGGREGATES, *_EACH, *_ELEMENTS, "vec"})
"""The names that `call` takes."""
