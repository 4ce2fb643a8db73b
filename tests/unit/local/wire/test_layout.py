from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.local.wire.api_error import ApiError, body_too_large, invalid_query_parameter
from orchestrator.local.wire.layout import render, render_list
from orchestrator.local.wire.times import parse_timestamp

REQUEST_ID = "b4669e1a-474b-4e04-9c9f-1cef6b40a8fd"
AT = parse_timestamp("2026-01-22T20:18:17.6076943Z")

values = st.recursive(
    st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


def test_an_object_is_laid_out_as_recorded() -> None:
    assert render({"a": 1, "b": {"c": [True, {"d": "x"}], "e": {}, "f": []}}) == (
        b'{\r\n  "a":1,"b":{\r\n    "c":[\r\n      true,{\r\n        "d":"x"\r\n      }\r\n    ],'
        b'"e":{\r\n      \r\n    },"f":[]\r\n  }\r\n}'
    )


def test_a_list_is_laid_out_as_recorded() -> None:
    assert render_list("m", [{"id": "a"}, {"id": "b"}], "next") == (
        b'{\r\n  "odata.metadata":"m","value":[\r\n    {\r\n      "id":"a"\r\n    },'
        b'{\r\n      "id":"b"\r\n    }\r\n  ],"odata.nextLink":"next"\r\n}'
    )


def test_an_empty_list_keeps_its_inner_line() -> None:
    assert render_list("m", [], None) == b'{\r\n  "odata.metadata":"m","value":[\r\n    \r\n  ]\r\n}'


def test_a_short_error_has_the_recorded_length() -> None:
    error = ApiError(404, "PoolNotFound", "The specified pool does not exist.")
    assert len(error.body("https://batch.eastus2.batch.azure.com", REQUEST_ID, AT)) == 327


def test_errors_with_values_have_the_recorded_length() -> None:
    short = "https://" + "a" * 12 + ".eastus.batch.azure.com"
    refused = invalid_query_parameter("maxresults", "-5", "MaxResults cannot be less than 1")
    assert len(refused.body(short, REQUEST_ID, AT)) == 607
    assert len(body_too_large(1048576).body(short, REQUEST_ID, AT)) == 450


@given(st.dictionaries(st.text(), values, max_size=5))
def test_what_is_laid_out_reads_back_the_same(value: dict[str, Any]) -> None:
    assert json.loads(render(value)) == value


@given(st.lists(st.dictionaries(st.text(), values, max_size=3), max_size=4))
def test_a_list_reads_back_the_same(elements: list[dict[str, Any]]) -> None:
    assert json.loads(render_list("m", elements, None))["value"] == elements
