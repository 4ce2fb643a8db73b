from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.local.wire.api_error import ApiError
from orchestrator.local.wire.odata import SAME, Field, Kind, parse_filter
from orchestrator.local.wire.times import parse_timestamp, timestamp


@dataclass(frozen=True)
class Thing:
    id: str
    state: str
    code: int | None
    on: bool
    at: int


FIELDS: dict[str, Field[Thing]] = {
    "id": Field(Kind.TEXT, lambda thing: thing.id, startswith=True),
    "state": Field(Kind.ENUM, lambda thing: thing.state, SAME),
    "info/code": Field(Kind.INTEGER, lambda thing: thing.code),
    "on": Field(Kind.BOOLEAN, lambda thing: thing.on, SAME),
    "at": Field(Kind.INSTANT, lambda thing: thing.at),
}
EPOCH = parse_timestamp("2024-01-01T00:00:00Z")
OPERATORS = {
    "eq": operator.eq,
    "ne": operator.ne,
    "gt": operator.gt,
    "ge": operator.ge,
    "lt": operator.lt,
    "le": operator.le,
}

Plain = tuple[str, Callable[[Thing], bool]]

things = st.builds(
    Thing,
    id=st.text("ab'Z ", max_size=3),
    state=st.sampled_from(["active", "Running"]),
    code=st.none() | st.integers(-2, 2),
    on=st.booleans(),
    at=st.integers(0, 3).map(lambda tick: EPOCH + tick),
)


def _quote(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _text(sign: str, literal: str) -> Plain:
    compare = OPERATORS[sign]
    return f"id {sign} {_quote(literal)}", lambda thing: bool(compare(thing.id, literal))


def _number(sign: str, literal: int) -> Plain:
    compare = OPERATORS[sign]
    return (
        f"info/code {sign} {literal}",
        lambda thing: thing.code is not None and bool(compare(thing.code, literal)),
    )


def _instant(sign: str, tick: int) -> Plain:
    compare = OPERATORS[sign]
    text = f"at {sign} DateTime'{timestamp(EPOCH + tick)}'"
    return text, lambda thing: bool(compare(thing.at, EPOCH + tick))


def _state(sign: str, literal: str) -> Plain:
    compare = OPERATORS[sign]
    return (
        f"state {sign} {_quote(literal)}",
        lambda thing: bool(compare(thing.state.lower(), literal.lower())),
    )


def _flag(sign: str, literal: bool) -> Plain:
    compare = OPERATORS[sign]
    return f"on {sign} {str(literal).lower()}", lambda thing: bool(compare(thing.on, literal))


def _starts(prefix: str) -> Plain:
    return f"startswith(id, {_quote(prefix)})", lambda thing: thing.id.startswith(prefix)


def _join(word: str, left: Plain, right: Plain) -> Plain:
    if word == "and":
        return f"({left[0]}) and ({right[0]})", lambda thing: left[1](thing) and right[1](thing)
    return f"({left[0]}) or ({right[0]})", lambda thing: left[1](thing) or right[1](thing)


signs = st.sampled_from(sorted(OPERATORS))
same = st.sampled_from(sorted(SAME))
literals = st.text("ab'Z ", max_size=3)
atoms = st.one_of(
    st.builds(_text, signs, literals),
    st.builds(_number, signs, st.integers(-2, 2)),
    st.builds(_instant, signs, st.integers(0, 3)),
    st.builds(_state, same, st.sampled_from(["active", "ACTIVE", "running"])),
    st.builds(_flag, same, st.booleans()),
    st.builds(_starts, literals),
)
filters = st.recursive(
    atoms, lambda inner: st.builds(_join, st.sampled_from(["and", "or"]), inner, inner), max_leaves=8
)


@given(filters, things)
def test_a_filter_agrees_with_its_plain_evaluation(plain: Plain, thing: Thing) -> None:
    assert parse_filter(plain[0], FIELDS).test(thing) is plain[1](thing)


@given(st.lists(atoms, min_size=1, max_size=4), st.lists(st.sampled_from(["and", "or"]), min_size=4), things)
def test_and_binds_closer_than_or(parts: list[Plain], words: list[str], thing: Thing) -> None:
    text = parts[0][0]
    groups = [[parts[0]]]
    for word, part in zip(words, parts[1:], strict=False):
        text += f" {word} {part[0]}"
        groups = [*groups[:-1], [*groups[-1], part]] if word == "and" else [*groups, [part]]
    expected = any(all(test(thing) for _, test in group) for group in groups)
    assert parse_filter(text, FIELDS).test(thing) is expected


@given(st.text(max_size=30))
def test_any_text_is_parsed_or_refused_by_name(text: str) -> None:
    refusal: ApiError | None = None
    try:
        parse_filter(text, FIELDS)
    except ApiError as refused:
        refusal = refused
    assert refusal is None or refusal.values["QueryParameterName"] == "$filter"


@pytest.mark.parametrize(
    ("text", "position"),
    [
        ("", 0),
        ("size eq 1", 0),
        ("id = 'a'", 3),
        ("id eq", 5),
        ("id eq 1", 6),
        ("state gt 'active'", 6),
        ("(id eq 'a'", 10),
        ("id eq 'a' id", 10),
        ("id eq 'a' and ", 14),
        ("startswith(state,'a')", 11),
        ("at ge DateTime'soon'", 14),
        ("on eq 'true'", 6),
    ],
)
def test_a_mistake_is_refused_with_its_position(text: str, position: int) -> None:
    with pytest.raises(ApiError) as refusal:
        parse_filter(text, FIELDS)
    assert refusal.value.values["Reason"].startswith(f"Position {position}:")


def test_deep_nesting_is_refused_and_not_a_crash() -> None:
    with pytest.raises(ApiError, match="InvalidQueryParameterValue"):
        parse_filter("(" * 10_000 + "id eq 'a'" + ")" * 10_000, FIELDS)


def test_a_planner_learns_what_every_match_has() -> None:
    wanted = parse_filter("state eq 'Active' and info/code gt 1", FIELDS)
    assert wanted.among == {"state": {"active"}}
    assert parse_filter("state eq 'active' or on eq true", FIELDS).among == {}
    either = parse_filter("(state eq 'active' or state eq 'running') and on eq true", FIELDS)
    assert either.among == {"state": {"active", "running"}, "on": {True}}
    nothing = parse_filter("state eq 'active' and state eq 'running'", FIELDS)
    assert nothing.among == {"state": frozenset()}


def test_a_planner_learns_between_which_instants_every_match_lies() -> None:
    early, late = "DateTime'2024-01-01T00:00:01Z'", "DateTime'2024-01-01T00:00:02Z'"
    first, last = (parse_timestamp(one[9:-1]) for one in (early, late))
    assert parse_filter(f"at ge {early} and at lt {late}", FIELDS).bounds == {"at": (first, last)}
    assert parse_filter(f"at gt {early} and at ge {late}", FIELDS).bounds == {"at": (last, None)}
    assert parse_filter(f"at eq {early}", FIELDS).bounds == {"at": (first, first)}
    assert parse_filter(f"at ge {early} or on eq true", FIELDS).bounds == {}


@given(filters, things)
def test_every_match_is_where_a_planner_looks(plain: Plain, thing: Thing) -> None:
    wanted = parse_filter(plain[0], FIELDS)
    if not wanted.test(thing):
        return
    for name, values in wanted.among.items():
        value = FIELDS[name].get(thing)
        assert (value.lower() if FIELDS[name].kind is Kind.ENUM else value) in values
    for name, stretch in wanted.bounds.items():
        value = FIELDS[name].get(thing)
        assert stretch.first is None or stretch.first <= value
        assert stretch.last is None or value <= stretch.last
