"""From tokens to a tree.

    formula    = [ statement ] *( ";" [ statement ] )          at least one statement, at most 100
    statement  = [ name "=" ] choice
    choice     = either *( "?" choice ":" either )             to the right
    either     = both *( "||" both )
    both       = same *( "&&" same )
    same       = order *( ( "==" / "!=" ) order )
    order      = sum *( ( "<" / "<=" / ">" / ">=" ) sum )
    sum        = product *( ( "+" / "-" ) product )
    product    = unary *( ( "*" / "/" ) unary )
    unary      = *( "-" / "!" ) steps
    steps      = atom *( "." name [ arguments ] )
    atom       = number / string / name [ arguments ] / "(" choice ")"
    arguments  = "(" [ choice *( "," choice ) ] ")"

Source of facts: the autoscale page lists the operators, 8 KB (8,192 characters: REST), 100 statements,
comments and line breaks. It does not give precedence; C's is what its examples need.
"""

from __future__ import annotations

import math
from typing import Final

from orchestrator.local.batch.autoscale.errors import SYNTAX_ERROR, TOO_LONG, FormulaError, Position
from orchestrator.local.batch.autoscale.tokens import Kind, Token, scan
from orchestrator.local.batch.autoscale.tree import (
    Branch,
    Chain,
    Choice,
    Expression,
    Function,
    Member,
    Method,
    Name,
    Number,
    Sign,
    Statement,
    Steps,
    Text,
    Unary,
)

LONGEST: Final = 8192
MOST_STATEMENTS: Final = 100

_PRECEDENCE: Final = (
    frozenset({"||"}),
    frozenset({"&&"}),
    frozenset({"==", "!="}),
    frozenset({"<", "<=", ">", ">="}),
    frozenset({"+", "-"}),
    frozenset({"*", "/"}),
)
_DEEPEST: Final = 32
"""Parentheses inside parentheses, past which a formula is refused: Python's own stack is not endless."""


def parse(formula: str) -> tuple[Statement, ...]:
    """Parse a formula.

    Args:
        formula: any text.

    Returns:
        Its statements.

    Raises:
        FormulaError: it is too long, or has a syntax error.
    """
    if len(formula) > LONGEST:
        raise FormulaError(TOO_LONG, f"The formula has {len(formula)} characters; {LONGEST} are allowed")
    return _Parser(scan(formula)).parse()


class _Parser:
    def __init__(self, tokens: list[Token]) -> None:
        self._tokens = tokens
        self._next = 0
        self._depth = 0

    def parse(self) -> tuple[Statement, ...]:
        statements: list[Statement] = []
        while True:
            while self._take_mark(";"):
                pass
            token = self._peek()
            if token.kind is Kind.END:
                break
            if len(statements) == MOST_STATEMENTS:
                raise _error(token.position, f"More than {MOST_STATEMENTS} statements")
            statements.append(self._statement())
            token = self._peek()
            if token.kind is not Kind.END and not token.is_mark(";"):
                raise _unexpected(token, "';' or an operator")
        if not statements:
            raise _error(self._peek().position, "The formula has no statement")
        return tuple(statements)

    def _statement(self) -> Statement:
        token = self._peek()
        if token.kind is Kind.NAME and self._tokens[self._next + 1].is_mark("="):
            self._next += 2
            return Statement(Name(token.text, token.position), self._choice())
        return Statement(None, self._choice())

    def _choice(self) -> Expression:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise _error(self._peek().position, "The expression is nested too deeply")
        branches: list[Branch] = []
        value = self._chain(0)
        while (token := self._peek()).is_mark("?"):
            self._next += 1
            chosen = self._choice()
            self._expect(":")
            branches.append(Branch(value, chosen, token.position))
            value = self._chain(0)
        self._depth -= 1
        return Choice(tuple(branches), value) if branches else value

    def _chain(self, level: int) -> Expression:
        if level == len(_PRECEDENCE):
            return self._unary()
        first = self._chain(level + 1)
        rest: list[tuple[Sign, Expression]] = []
        while (token := self._peek()).kind is Kind.MARK and token.text in _PRECEDENCE[level]:
            self._next += 1
            rest.append((Sign(token.text, token.position), self._chain(level + 1)))
        return Chain(first, tuple(rest)) if rest else first

    def _unary(self) -> Expression:
        signs: list[Sign] = []
        while (token := self._peek()).is_mark("-") or token.is_mark("!"):
            self._next += 1
            signs.append(Sign(token.text, token.position))
        operand = self._steps()
        return Unary(tuple(signs), operand) if signs else operand

    def _steps(self) -> Expression:
        start = self._atom()
        steps: list[Member | Method] = []
        while self._take_mark("."):
            token = self._take()
            if token.kind is not Kind.NAME or token.text.startswith("$"):
                raise _unexpected(token, "the name of a method or a member")
            opening = self._peek()
            if opening.is_mark("("):
                steps.append(Method(token.text, self._arguments(), token.position, opening.position))
            else:
                steps.append(Member(token.text, token.position))
        return Steps(start, tuple(steps)) if steps else start

    def _atom(self) -> Expression:
        token = self._take()
        if token.kind is Kind.NUMBER:
            number = float(token.text)
            if not math.isfinite(number):
                raise _error(token.position, "The number is too large")
            return Number(number)
        if token.kind is Kind.TEXT:
            return Text(token.text[1:-1])
        if token.kind is Kind.NAME:
            opening = self._peek()
            if opening.is_mark("("):
                return Function(token.text, self._arguments(), token.position, opening.position)
            return Name(token.text, token.position)
        if token.is_mark("("):
            inner = self._choice()
            self._expect(")")
            return inner
        raise _unexpected(token, "a value")

    def _arguments(self) -> tuple[Expression, ...]:
        self._expect("(")
        if self._take_mark(")"):
            return ()
        arguments = [self._choice()]
        while self._take_mark(","):
            arguments.append(self._choice())
        self._expect(")")
        return tuple(arguments)

    def _expect(self, mark: str) -> None:
        token = self._take()
        if not token.is_mark(mark):
            raise _unexpected(token, f"'{mark}'")

    def _take_mark(self, mark: str) -> bool:
        found = self._peek().is_mark(mark)
        if found:
            self._next += 1
        return found

    def _peek(self) -> Token:
        return self._tokens[self._next]

    def _take(self) -> Token:
        token = self._tokens[self._next]
        if token.kind is not Kind.END:
            self._next += 1
        return token


def _unexpected(token: Token, wanted: str) -> FormulaError:
    found = "the end of the formula" if token.kind is Kind.END else f"'{token.text}'"
    return _error(token.position, f"Syntax error: {wanted} is expected, not {found}")


def _error(position: Position, reason: str) -> FormulaError:
    return FormulaError(SYNTAX_ERROR, reason, position)
