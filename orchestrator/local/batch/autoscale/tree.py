"""What the grammar makes of a formula.

Operators of one precedence are one flat node, and so are the steps after a value and the branches of
`?:`. A long formula is therefore wide, not deep, and evaluating it can't exhaust Python's stack.
"""

from __future__ import annotations

from dataclasses import dataclass

from orchestrator.local.batch.autoscale.errors import Position


@dataclass(frozen=True, slots=True)
class Number:
    """A number as written."""

    value: float


@dataclass(frozen=True, slots=True)
class Text:
    """A string as written, without its quotes."""

    value: str


@dataclass(frozen=True, slots=True)
class Name:
    """A variable or a constant."""

    name: str
    position: Position


@dataclass(frozen=True, slots=True)
class Function:
    """A call of a predefined function; `opening` is the place of its parenthesis."""

    name: str
    arguments: tuple[Expression, ...]
    position: Position
    opening: Position


@dataclass(frozen=True, slots=True)
class Member:
    """A step after a value: `.hour`."""

    name: str
    position: Position


@dataclass(frozen=True, slots=True)
class Method:
    """A step after a value: `.GetSample(1)`; `opening` is the place of its parenthesis."""

    name: str
    arguments: tuple[Expression, ...]
    position: Position
    opening: Position


@dataclass(frozen=True, slots=True)
class Steps:
    """A value and the steps after it, in order."""

    start: Expression
    steps: tuple[Member | Method, ...]


@dataclass(frozen=True, slots=True)
class Sign:
    """An operator at its place."""

    symbol: str
    position: Position


@dataclass(frozen=True, slots=True)
class Unary:
    """Operators before a value; the last one is applied first."""

    signs: tuple[Sign, ...]
    operand: Expression


@dataclass(frozen=True, slots=True)
class Chain:
    """Values joined by operators of one precedence, from left to right."""

    first: Expression
    rest: tuple[tuple[Sign, Expression], ...]


@dataclass(frozen=True, slots=True)
class Branch:
    """`test ? value`; `position` is that of the question mark."""

    test: Expression
    value: Expression
    position: Position


@dataclass(frozen=True, slots=True)
class Choice:
    """`test ? value : test ? value : otherwise`."""

    branches: tuple[Branch, ...]
    otherwise: Expression


Expression = Number | Text | Name | Function | Steps | Unary | Chain | Choice


@dataclass(frozen=True, slots=True)
class Statement:
    """An assignment, or an expression when there is no target."""

    target: Name | None
    value: Expression
