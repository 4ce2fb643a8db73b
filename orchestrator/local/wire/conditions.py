"""Conditional headers.

Source of facts: the REST page "Specifying conditional headers"; recorded: 412 ConditionNotMet, ETags
without quotes. The Python SDK sends them with quotes, so both are read.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from orchestrator.local.wire.api_error import (
    condition_not_met,
    invalid_header,
    multiple_conditions,
    not_modified,
)
from orchestrator.local.wire.times import TICKS_PER_SECOND, etag, parse_http_date

_PAIRS: Final = (
    frozenset({"If-None-Match", "If-Modified-Since"}),
    frozenset({"If-Match", "If-Unmodified-Since"}),
)
_NAMES: Final = ("If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since")


def check_conditions(
    headers: Mapping[str, str], *, modified: int, reading: bool, by_etag: bool = True
) -> None:
    """Go on only if the request's conditions hold.

    Args:
        headers: of the request.
        modified: when the resource was last modified, in ticks; its ETag follows from it.
        reading: whether the request changes nothing.
        by_etag: whether the resource has an ETag (files have none).

    Raises:
        ApiError: 304 or 412 for a condition that does not hold, 400 for more than can be obeyed.
    """
    given = {name: headers[name] for name in _NAMES if headers.get(name)}
    if not given:
        return
    if len(given) > 1 and frozenset(given) not in _PAIRS:
        raise multiple_conditions()
    whole_second = modified - modified % TICKS_PER_SECOND
    unmet = not_modified() if reading else condition_not_met()
    tag = etag(modified)
    if by_etag and "If-Match" in given and not _names(given["If-Match"], tag):
        raise condition_not_met()
    if by_etag and "If-None-Match" in given and _names(given["If-None-Match"], tag):
        raise unmet
    if "If-Unmodified-Since" in given and whole_second > _date(given, "If-Unmodified-Since"):
        raise condition_not_met()
    if "If-Modified-Since" in given and whole_second <= _date(given, "If-Modified-Since"):
        raise unmet


def _names(header: str, tag: str) -> bool:
    stated = [one.strip().removeprefix("W/").strip('"') for one in header.split(",")]
    return "*" in stated or tag in stated


def _date(given: Mapping[str, str], name: str) -> int:
    try:
        return parse_http_date(given[name])
    except ValueError:
        raise invalid_header(name, given[name], "This is not an RFC 1123 date") from None
