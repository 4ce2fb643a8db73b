from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.local.wire.api_error import ApiError
from orchestrator.local.wire.paging import Selection, next_link, page_size, read_token

URL = "http://127.0.0.1:1/jobs/j/tasks"


@given(st.text(min_size=1, max_size=80))
def test_the_token_of_a_link_leads_behind_its_key(key: str) -> None:
    link = next_link(URL, "api-version=2025-06-01&maxresults=2", key)
    query = parse_qs(urlsplit(link).query)
    assert read_token(query["$skiptoken"][0]) == key
    assert query["maxresults"] == ["2"]


def test_a_link_repeats_the_request_and_replaces_the_token() -> None:
    first = next_link(URL, "$filter=id%20ge%20'a'&$select=id", "a")
    assert first.startswith(f"{URL}?$filter=id%20ge%20'a'&$select=id&$skiptoken=")
    second = next_link(URL, first.partition("?")[2].replace("$skip", "%24skip"), "b")
    assert second.count("skiptoken") == 1


@pytest.mark.parametrize(
    ("stated", "code"),
    [
        ("-5", "InvalidQueryParameterValue"),
        ("0", "InvalidQueryParameterValue"),
        ("ten", "InvalidQueryParameterValue"),
        ("1001", "OutOfRangeQueryParameterValue"),
    ],
)
def test_a_page_size_out_of_bounds_is_refused(stated: str, code: str) -> None:
    with pytest.raises(ApiError) as refusal:
        page_size(stated)
    assert refusal.value.code == code
    assert refusal.value.values["QueryParameterName"] == "maxresults"


def test_a_page_has_a_thousand_elements_unless_fewer_are_asked_for() -> None:
    assert page_size(None) == 1000
    assert page_size("1000") == 1000
    assert page_size("7") == 7


@pytest.mark.parametrize("token", ["", "x", "WATV2:abc", "l1.", "l1.***", "l1.gA"])
def test_a_foreign_token_is_refused(token: str) -> None:
    with pytest.raises(ApiError, match="InvalidQueryParameterValue"):
        read_token(token)


def test_a_selection_keeps_the_order_of_the_resource() -> None:
    selection = Selection("state, id", frozenset({"id", "state", "url"}))
    assert list(selection.apply({"id": "a", "url": "u", "state": "s"})) == ["id", "state"]


def test_a_selection_of_an_unknown_member_is_refused() -> None:
    with pytest.raises(ApiError, match="InvalidQueryParameterValue"):
        Selection("id,nope", frozenset({"id"}))
