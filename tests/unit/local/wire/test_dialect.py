from __future__ import annotations

from typing import Any

import pytest

from orchestrator.local.wire.api_error import ApiError
from orchestrator.local.wire.dialect import Absent, Dialect, Filled, Renamed, Spelled


def dialect(*changes: Any) -> Dialect:
    return Dialect("v", {"pools": changes}, {"create_pool": "pools"})


def test_a_renamed_member_keeps_its_place() -> None:
    wire = dialect(Renamed("b", "old")).show("pools/@Element", {"a": 1, "b": 2, "c": 3})
    assert list(wire.items()) == [("a", 1), ("old", 2), ("c", 3)]


def test_a_request_uses_the_other_name_and_not_the_newest() -> None:
    speaks = dialect(Renamed("b", "old"))
    assert speaks.read("create_pool", {"old": 2}) == {"b": 2}
    with pytest.raises(ApiError, match="UnsupportedProperty"):
        speaks.read("create_pool", {"b": 2})


def test_paths_lead_through_objects_and_lists() -> None:
    speaks = dialect(Spelled("runs/*/info/result", str.upper))
    kept = {"runs": [{"info": {"result": "ok"}}, {"info": {}}, {}]}
    assert speaks.show("pools", kept) == {"runs": [{"info": {"result": "OK"}}, {"info": {}}, {}]}
    assert kept["runs"][0] == {"info": {"result": "ok"}}


def test_an_absent_member_is_left_out_and_refused() -> None:
    speaks = dialect(Absent("a"))
    assert speaks.show("pools", {"a": 1, "b": 2}) == {"b": 2}
    with pytest.raises(ApiError, match="UnsupportedProperty"):
        speaks.read("create_pool", {"a": 1})


def test_a_member_may_be_absent_with_one_value_only() -> None:
    speaks = dialect(Absent("a", value="default", refused=False))
    assert speaks.show("pools", {"a": "default"}) == {}
    assert speaks.show("pools", {"a": "other"}) == {"a": "other"}
    assert speaks.read("create_pool", {"a": "default"}) == {"a": "default"}


def test_another_default_is_filled_in() -> None:
    speaks = dialect(Filled("a", {}), Filled("a/b", 1))
    assert speaks.read("create_pool", {}) == {"a": {"b": 1}}
    assert speaks.read("create_pool", {"a": {"b": 2}}) == {"a": {"b": 2}}


def test_what_is_of_another_kind_or_of_another_resource_passes() -> None:
    speaks = dialect(Renamed("a/*/b", "old"))
    assert speaks.read("create_pool", {"a": "text"}) == {"a": "text"}
    assert speaks.read("create_job", {"a": [{"b": 1}]}) == {"a": [{"b": 1}]}
    wire = {"a": [{"b": 1}]}
    assert speaks.show("jobs", wire) is wire


def test_select_is_read_by_the_names_of_the_dialect() -> None:
    speaks = dialect(Renamed("b", "old"))
    assert speaks.select("pools", "id, old") == "id,b"
    assert speaks.select("pools", None) is None
    assert speaks.select("jobs", "old") == "old"
