"""A line of the daemon's log as JSON: what is read back is what was told."""

from __future__ import annotations

import json
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.daemon.logs import json_line
from orchestrator.spec.secret import SecretText

_VALUES = st.none() | st.booleans() | st.integers(-(1 << 80), 1 << 80) | st.text(st.characters())


class _Signed(msgspec.Struct):
    address: SecretText


@given(st.dictionaries(st.text(st.characters()), st.recursive(_VALUES, st.lists, max_leaves=5)))
def test_whatever_is_told_is_read_back(line: dict[str, Any]) -> None:
    # Half of a surrogate pair, as a file's name on this disk may have, is nothing that UTF-8 can hold.
    assert json.loads(json_line(line, default=repr)) == line


def test_it_is_one_line() -> None:
    assert "\n" not in json_line({"event": "a\nb", "why": ["c\r\nd"]}, default=repr)


def test_a_secret_inside_of_something_stays_one() -> None:
    told = json_line({"event": "x", "what": _Signed(SecretText("c2ln"))}, default=repr)
    assert "c2ln" not in told
