"""`$filter`: a parser that turns the text into a test of a record.

Source of facts: the REST page "OData filters in Batch". The grammar:

    or          = and *( "or" and )
    and         = atom *( "and" atom )
    atom        = "(" or ")" / "startswith" "(" property "," string ")" / property operator literal
    operator    = "eq" / "ne" / "gt" / "ge" / "lt" / "le"
    literal     = string / "DateTime" string / integer / "true" / "false"

A property that a record lacks never matches, whatever the operator. Strings of kind `enum` are compared
without case.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any, Final, Generic, NamedTuple, TypeVar

from orchestrator.local.wire.api_error import ApiError, invalid_query_parameter
from orchestrator.local.wire.times import parse_timestamp

R = TypeVar("R")
Test = Callable[[R], bool]

_COMPARISONS: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "eq": operator.eq,
    "ne": operator.ne,
    "gt": operator.gt,
    "ge": operator.ge,
    "lt": operator.lt,
    "le": operator.le,
}
_TOKEN: Final = re.compile(
    r"\s*(?:(?P<datetime>datetime)?(?P<string>'(?:[^']|'')*')"
    r"|(?P<number>-?\d+)(?![\w.])"
    r"|(?P<word>[A-Za-z_][\w/.]*)"
    r"|(?P<mark>[(),]))",
    re.IGNORECASE,
)
_DEEPEST: Final = 50
"""Parentheses inside parentheses, past which a filter is refused: Python's own stack is not endless."""

ORDER: Final = frozenset(_COMPARISONS)
SAME: Final = frozenset({"eq", "ne"})
EQUAL: Final = frozenset({"eq"})


class Kind(Enum):
    """What a property's values are."""

    TEXT = auto()
    ENUM = auto()
    INSTANT = auto()
    INTEGER = auto()
    BOOLEAN = auto()


@dataclass(frozen=True, slots=True)
class Field(Generic[R]):
    """A property that a collection can be filtered by.

    Args:
        kind: of its values; instants are ticks.
        get: reads it from a record; None when the record lacks it.
        operators: that the service allows for it.
        startswith: whether the function of that name takes it.
    """

    kind: Kind
    get: Callable[[R], Any]
    operators: frozenset[str] = ORDER
    startswith: bool = False


class Bounds(NamedTuple):
    """A stretch of time, both ends included; None for no bound."""

    first: int | None = None
    last: int | None = None

    def both(self, other: Bounds) -> Bounds:
        """What lies in this stretch and in another one.

        Args:
            other: stretch.
        """
        firsts = [one for one in (self.first, other.first) if one is not None]
        lasts = [one for one in (self.last, other.last) if one is not None]
        return Bounds(max(firsts, default=None), min(lasts, default=None))


@dataclass(frozen=True, slots=True)
class Filter(Generic[R]):
    """A parsed filter.

    Args:
        test: whether a record is wanted.
        among: properties of which every wanted record has one of these values, for a planner to start from.
        bounds: of instants, by property; every wanted record lies between them.
    """

    test: Test[R]
    among: Mapping[str, frozenset[Any]] = field(default_factory=dict)
    bounds: Mapping[str, Bounds] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    at: int


_BOUNDS: Final[Mapping[str, Callable[[int], Bounds]]] = {
    "eq": lambda at: Bounds(at, at),
    "gt": lambda at: Bounds(first=at),
    "ge": lambda at: Bounds(first=at),
    "lt": lambda at: Bounds(last=at),
    "le": lambda at: Bounds(last=at),
}


def parse_filter(text: str, fields: Mapping[str, Field[R]]) -> Filter[R]:
    """Parse a filter.

    Args:
        text: of the query parameter, decoded.
        fields: the properties that the collection has.

    Returns:
        The filter.

    Raises:
        ApiError: InvalidQueryParameterValue, with the position in its Reason.
    """
    return _Parser(text, fields).parse()


class _Parser(Generic[R]):
    def __init__(self, text: str, fields: Mapping[str, Field[R]]) -> None:
        self._text = text
        self._fields = fields
        self._tokens = list(self._scan())
        self._next = 0
        self._depth = 0

    def parse(self) -> Filter[R]:
        wanted = self._either()
        token = self._peek()
        if token.kind != "end":
            raise self._error(token.at, f"'{token.text}' is not expected here")
        return wanted

    def _scan(self) -> list[_Token]:
        tokens = []
        at = 0
        end = len(self._text.rstrip())
        while at < end:
            match = _TOKEN.match(self._text, at)
            if match is None:
                blank = len(self._text[at:]) - len(self._text[at:].lstrip())
                raise self._error(at + blank, "this is neither a name nor a value")
            kind = match.lastgroup or ""
            if match["datetime"]:
                kind = "datetime"
            tokens.append(_Token(kind, match[match.lastgroup or 0], match.start(match.lastgroup or 0)))
            at = match.end()
        tokens.append(_Token("end", "end of filter", len(self._text)))
        return tokens

    def _either(self) -> Filter[R]:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise self._error(self._peek().at, "the parentheses are nested too deeply")
        tests = [self._both()]
        while self._keyword("or"):
            tests.append(self._both())
        self._depth -= 1
        if len(tests) == 1:
            return tests[0]
        choices = tuple(part.test for part in tests)
        shared = set(tests[0].among).intersection(*(part.among for part in tests))
        among = {name: frozenset().union(*(part.among[name] for part in tests)) for name in shared}
        return Filter(lambda record: any(test(record) for test in choices), among)

    def _both(self) -> Filter[R]:
        tests = [self._atom()]
        while self._keyword("and"):
            tests.append(self._atom())
        if len(tests) == 1:
            return tests[0]
        needs = tuple(part.test for part in tests)
        among: dict[str, frozenset[Any]] = {}
        bounds: dict[str, Bounds] = {}
        for part in tests:
            for name, values in part.among.items():
                among[name] = values & among.get(name, values)
            for name, stretch in part.bounds.items():
                bounds[name] = stretch.both(bounds.get(name, stretch))
        return Filter(lambda record: all(test(record) for test in needs), among, bounds)

    def _atom(self) -> Filter[R]:
        token = self._take()
        if token.text == "(" and token.kind == "mark":
            inner = self._either()
            self._expect(")")
            return inner
        if token.kind != "word":
            raise self._error(token.at, f"a property name is expected, not '{token.text}'")
        if token.text.lower() == "startswith" and self._peek().text == "(":
            return self._startswith()
        return self._comparison(token)

    def _startswith(self) -> Filter[R]:
        self._expect("(")
        name = self._take()
        field = self._field(name)
        if not field.startswith:
            raise self._error(name.at, f"startswith can't be used with '{name.text}'")
        self._expect(",")
        literal = self._take()
        if literal.kind != "string":
            raise self._error(literal.at, "startswith needs a string in quotes")
        self._expect(")")
        prefix = _unquoted(literal.text)
        get = field.get
        return Filter(lambda record: (value := get(record)) is not None and value.startswith(prefix))

    def _comparison(self, name: _Token) -> Filter[R]:
        field = self._field(name)
        sign = self._take()
        symbol = sign.text.lower()
        if sign.kind != "word" or symbol not in _COMPARISONS:
            raise self._error(sign.at, f"an operator (eq ne gt ge lt le) is expected, not '{sign.text}'")
        if symbol not in field.operators:
            raise self._error(sign.at, f"'{symbol}' can't be used with '{name.text}'")
        wanted = self._literal(field.kind)
        compare = _COMPARISONS[symbol]
        get = field.get
        if field.kind is Kind.ENUM:

            def test(record: R) -> bool:
                value = get(record)
                return value is not None and compare(value.lower(), wanted)

        else:

            def test(record: R) -> bool:
                value = get(record)
                return value is not None and compare(value, wanted)

        among = {name.text: frozenset((wanted,))} if symbol == "eq" else {}
        bounds = {name.text: _BOUNDS[symbol](wanted)} if field.kind is Kind.INSTANT and symbol != "ne" else {}
        return Filter(test, among, bounds)

    def _field(self, name: _Token) -> Field[R]:
        field = self._fields.get(name.text) if name.kind == "word" else None
        if field is None:
            raise self._error(name.at, f"'{name.text}' is no property that can be filtered by")
        return field

    def _literal(self, kind: Kind) -> Any:
        token = self._take()
        word = token.text.lower() if token.kind == "word" else ""
        if kind is Kind.BOOLEAN and word in ("true", "false"):
            return word == "true"
        if kind is Kind.INTEGER and token.kind == "number":
            return int(token.text)
        if kind is Kind.TEXT and token.kind == "string":
            return _unquoted(token.text)
        if kind is Kind.ENUM and token.kind == "string":
            return _unquoted(token.text).lower()
        if kind is Kind.INSTANT and token.kind in ("datetime", "string"):
            try:
                return parse_timestamp(_unquoted(token.text))
            except ValueError:
                raise self._error(token.at, f"{token.text} is not a date and time") from None
        raise self._error(token.at, f"a value of kind {kind.name.lower()} is expected, not '{token.text}'")

    def _keyword(self, word: str) -> bool:
        token = self._peek()
        if token.kind == "word" and token.text.lower() == word:
            self._next += 1
            return True
        return False

    def _expect(self, mark: str) -> None:
        token = self._take()
        if token.text != mark or token.kind != "mark":
            raise self._error(token.at, f"'{mark}' is expected, not '{token.text}'")

    def _peek(self) -> _Token:
        return self._tokens[self._next]

    def _take(self) -> _Token:
        token = self._tokens[self._next]
        if token.kind != "end":
            self._next += 1
        return token

    def _error(self, at: int, reason: str) -> ApiError:
        return invalid_query_parameter("$filter", self._text, f"Position {at}: {reason}")


def _unquoted(text: str) -> str:
    return text[1:-1].replace("''", "'")
