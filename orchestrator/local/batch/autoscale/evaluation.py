"""Runs a formula.

Source of facts: the recorded answers of evaluateautoscale. A formula that fails changes nothing: the
results are the pool's present targets, `requeue`, and none of the formula's own variables. An undefined
name is placed at its first character (recorded), a call at its parenthesis (published
InsufficientSampleData errors), an operator at its own.

`?:`, `&&` and `||` evaluate what they need only: the page's examples guard `GetSample` with `?:`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from random import Random
from typing import Final, TypeVar

from orchestrator.local.batch.autoscale.errors import (
    CannotEvaluateError,
    FormulaError,
    Position,
    undefined,
)
from orchestrator.local.batch.autoscale.functions import FUNCTIONS, call, refused
from orchestrator.local.batch.autoscale.grammar import parse
from orchestrator.local.batch.autoscale.instants import member, parse_instant
from orchestrator.local.batch.autoscale.methods import METHODS, call_method, find_history
from orchestrator.local.batch.autoscale.operators import binary, truth, unary
from orchestrator.local.batch.autoscale.samples import Metrics
from orchestrator.local.batch.autoscale.tree import (
    Chain,
    Choice,
    Expression,
    Function,
    Member,
    Method,
    Name,
    Number,
    Statement,
    Steps,
    Text,
    Unary,
)
from orchestrator.local.batch.autoscale.values import Timestamp, Value, type_name
from orchestrator.local.batch.autoscale.variables import (
    DEDICATED,
    LOW_PRIORITY,
    SAMPLED,
    UNKNOWABLE,
    Current,
    Scope,
)
from orchestrator.local.wire.times import to_ticks

_LOGIC: Final = {"&&": False, "||": True}
"""The left value that settles the result."""

_IN_CONTEXT: Final = frozenset({"rand", "stop", "time"})
"""The functions that need more than their arguments."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """What came of a formula.

    Args:
        results: all variables, as `AutoScaleRun.results` has them.
        target_dedicated: nodes; None when the formula failed and the pool stays as it is.
        target_low_priority: nodes; None likewise.
        deallocation_option: for the nodes that go.
        error: why the formula failed, or None.
    """

    results: str
    target_dedicated: int | None
    target_low_priority: int | None
    deallocation_option: str
    error: FormulaError | None


def check_syntax(formula: str) -> None:
    """Check what can be told without running it.

    Args:
        formula: any text.

    Raises:
        FormulaError: AutoScalingFormulaTooLong or AutoScalingFormulaSyntaxError.
    """
    parse(formula)


def evaluate(formula: str, *, now: datetime, metrics: Metrics, current: Current) -> Evaluation:
    """Run a formula. It never raises: what is wrong is in the result.

    Args:
        formula: any text.
        now: present instant, which also seeds `rand()`.
        metrics: what was sampled.
        current: the pool.

    Returns:
        The targets, or the error.
    """
    scope = Scope(current)
    try:
        _Run(scope, metrics, to_ticks(now)).run(parse(formula))
        return Evaluation(
            results=scope.results(),
            target_dedicated=scope.target(DEDICATED),
            target_low_priority=scope.target(LOW_PRIORITY),
            deallocation_option=scope.option(),
            error=None,
        )
    except FormulaError as error:
        # An evaluation is kept with its pool; the frames of the one that failed are not to be kept with it.
        error.__traceback__ = error.__context__ = None
        unchanged = Scope(current)
        return Evaluation(
            results=unchanged.results(),
            target_dedicated=None,
            target_low_priority=None,
            deallocation_option=unchanged.option(),
            error=error,
        )


class _StopError(Exception):
    """The formula called `stop()`."""


class _Run:
    def __init__(self, scope: Scope, metrics: Metrics, now: int) -> None:
        self._scope = scope
        self._metrics = metrics
        self._now = now
        self._random = Random(now)  # noqa: S311 - a formula's own dice; the same instant gives the same

    def run(self, statements: tuple[Statement, ...]) -> None:
        try:
            for statement in statements:
                value = self._value(statement.value)
                if statement.target is not None:
                    name, position = statement.target.name, statement.target.position
                    _at(position, self._scope.assign, name, value, position)
        except _StopError:
            return

    def _value(self, expression: Expression) -> Value:
        result: Value
        match expression:
            case Number(literal) | Text(literal):
                result = literal
            case Name():
                result = _at(expression.position, self._read, expression.name)
            case Function():
                result = self._function(expression)
            case Steps():
                result = self._steps(expression)
            case Unary():
                result = self._value(expression.operand)
                for sign in reversed(expression.signs):
                    result = _at(sign.position, unary, sign.symbol, result)
            case Chain():
                result = self._chain(expression)
            case Choice():
                result = self._choice(expression)
        return result

    def _choice(self, choice: Choice) -> Value:
        for branch in choice.branches:
            if _at(branch.position, truth, self._value(branch.test)):
                return self._value(branch.value)
        return self._value(choice.otherwise)

    def _chain(self, chain: Chain) -> Value:
        value = self._value(chain.first)
        for sign, operand in chain.rest:
            if sign.symbol in _LOGIC:
                settled = _LOGIC[sign.symbol]
                left = _at(sign.position, truth, value)
                right = left if left is settled else _at(sign.position, truth, self._value(operand))
                value = float(right)
            else:
                value = _at(sign.position, binary, sign.symbol, value, self._value(operand))
        return value

    def _function(self, function: Function) -> Value:
        if function.name not in FUNCTIONS | _IN_CONTEXT:
            raise undefined(function.name).at(function.position)
        arguments = tuple(self._value(argument) for argument in function.arguments)
        match function.name, arguments:
            case "time", () | ("",):
                return Timestamp(self._now)
            case "time", (str(text),):
                return _at(function.opening, parse_instant, text)
            case "rand", ():
                return self._random.random()
            case "stop", ():
                raise _StopError
            case name, _ if name in _IN_CONTEXT:
                raise refused(name, arguments).at(function.opening)
        return _at(function.opening, call, function.name, arguments)

    def _steps(self, steps: Steps) -> Value:
        start = steps.start
        rest = steps.steps
        if isinstance(start, Name) and start.name in SAMPLED | UNKNOWABLE:
            value = self._sampled(start, rest[0])
            rest = rest[1:]
        else:
            value = self._value(start)
        for step in rest:
            if isinstance(step, Method) or not isinstance(value, Timestamp):
                reason = f"A {type_name(value)} has no {step.name}"
                raise CannotEvaluateError(reason).at(step.position)
            value = _at(step.position, member, value, step.name)
        return value

    def _sampled(self, variable: Name, step: Member | Method) -> Value:
        history = _at(variable.position, find_history, self._metrics, variable.name)
        if isinstance(step, Member) or step.name not in METHODS:
            raise undefined(step.name).at(step.position)
        arguments = tuple(self._value(argument) for argument in step.arguments)
        return _at(step.opening, call_method, history, variable.name, step.name, arguments, self._now)

    def _read(self, name: str) -> Value:
        value = self._scope.read(name)
        if value is None:
            raise undefined(name)
        return value


def _at(position: Position, compute: Callable[..., T], *arguments: object) -> T:
    """Compute, and give what can't be computed its place."""
    try:
        return compute(*arguments)
    except CannotEvaluateError as error:
        raise error.at(position) from None
