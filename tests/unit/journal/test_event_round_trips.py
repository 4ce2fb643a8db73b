"""Whatever an event of any class holds, it comes back equal."""

from __future__ import annotations

import asyncio
import enum
import sqlite3
import types
import typing
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.events import Event, all_event_types
from orchestrator.journal import reads
from orchestrator.journal.schema import prepare
from orchestrator.journal.writes import Table, Write, carry_out
from orchestrator.results import TaskResult

# JSON has no half of a surrogate pair; tests/unit/journal/test_events.py shows what becomes of one.
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
PLAIN: dict[object, st.SearchStrategy[Any]] = {
    str: TEXT,
    int: st.integers(-(2**62), 2**62),
    float: st.floats(allow_nan=False, allow_infinity=False),
    bool: st.booleans(),
    type(None): st.none(),
    Path: TEXT.map(lambda text: Path("/results") / text.replace("\0", "")),
    datetime: st.datetimes(min_value=datetime(1, 1, 2), timezones=st.just(UTC)),  # noqa: DTZ001
}


def values(kind: Any) -> st.SearchStrategy[Any]:
    """Anything that a field of this type may hold."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if kind in PLAIN:
        return PLAIN[kind]
    if origin in {typing.Union, types.UnionType}:
        return st.one_of(*map(values, arguments))
    if origin is tuple and arguments[-1] is Ellipsis:
        return st.lists(values(arguments[0]), max_size=3).map(tuple)
    if origin is tuple:
        return st.tuples(*map(values, arguments))
    if issubclass(kind, enum.Enum):
        return st.sampled_from(kind)
    assert issubclass(kind, msgspec.Struct), kind
    hints = typing.get_type_hints(kind)
    return st.builds(kind, **{name: values(hints[name]) for name in kind.__struct_fields__})


@contextmanager
def tables() -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        prepare(connection, 1)
        connection.execute(
            "INSERT INTO runs (run_id, job_id, pool_id, account, state, started_at)"
            " VALUES ('r', 'j', 'p', 'a', 'running', '2026-01-01T00:00:00+00:00')"
        )
        yield connection


def write(connection: sqlite3.Connection, table: Table, rows: list[Any]) -> None:
    loop = asyncio.new_event_loop()
    try:
        carry_out(connection, [Write(loop.create_future(), durable=False, table=table, rows=rows)])
    finally:
        loop.close()


@pytest.mark.parametrize("kind", all_event_types(), ids=lambda kind: kind.__name__)
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_an_event_comes_back_equal_whatever_it_holds(kind: type[Event], data: st.DataObject) -> None:
    told = data.draw(st.lists(values(kind), min_size=1, max_size=3))
    for number, event in enumerate(told, 1):
        msgspec.structs.force_setattr(event, "run_id", "r")
        msgspec.structs.force_setattr(event, "sequence", number)
    with tables() as connection:
        write(connection, Table.EVENTS, told)
        assert reads.events(connection, "r", after=0, types=(), limit=10) == tuple(told)
        assert reads.events(connection, "r", after=0, types=(kind,), limit=10) == tuple(told)
        assert [row.event for row in reads.stream_rows(connection, "r", after=0, limit=10)] == [
            kind.__name__
        ] * len(told)


@settings(max_examples=100, deadline=None)
@given(results=st.lists(values(TaskResult), max_size=5))
def test_a_result_comes_back_equal_whatever_it_holds(results: list[TaskResult]) -> None:
    numbered = list(enumerate(results, 1))
    with tables() as connection:
        write(connection, Table.RESULTS, [("r", number, result) for number, result in numbered])
        assert list(reads.results(connection, "r", after=0, limit=10)) == numbered
