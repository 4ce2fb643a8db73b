from __future__ import annotations

import pytest

from orchestrator.local.wire.api_error import ApiError
from orchestrator.local.wire.conditions import check_conditions
from orchestrator.local.wire.times import etag, http_date, parse_timestamp

MODIFIED = parse_timestamp("2023-09-07T06:26:55.6167653Z")
TAG = etag(MODIFIED)
OTHER = etag(MODIFIED + 1)
THEN = http_date(MODIFIED)
BEFORE = "Thu, 07 Sep 2023 06:26:54 GMT"


def _status(headers: dict[str, str], *, reading: bool) -> int:
    try:
        check_conditions(headers, modified=MODIFIED, reading=reading)
    except ApiError as refusal:
        return refusal.status
    return 200


@pytest.mark.parametrize(
    ("headers", "read", "write"),
    [
        ({}, 200, 200),
        ({"If-Match": TAG}, 200, 200),
        ({"If-Match": f'"{TAG}"'}, 200, 200),
        ({"If-Match": "*"}, 200, 200),
        ({"If-Match": f'"{OTHER}"'}, 412, 412),
        ({"If-None-Match": OTHER}, 200, 200),
        ({"If-None-Match": f'"{TAG}"'}, 304, 412),
        ({"If-None-Match": "*"}, 304, 412),
        ({"If-Modified-Since": BEFORE}, 200, 200),
        ({"If-Modified-Since": THEN}, 304, 412),
        ({"If-Unmodified-Since": THEN}, 200, 200),
        ({"If-Unmodified-Since": BEFORE}, 412, 412),
        ({"If-Match": TAG, "If-Unmodified-Since": THEN}, 200, 200),
        ({"If-Match": TAG, "If-None-Match": OTHER}, 400, 400),
        ({"If-Modified-Since": "yesterday"}, 400, 400),
    ],
)
def test_a_condition_is_obeyed(headers: dict[str, str], read: int, write: int) -> None:
    assert _status(headers, reading=True) == read
    assert _status(headers, reading=False) == write
