"""One page of a collection, for every handler that lists."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from orchestrator.local.wire.api_error import invalid_query_parameter
from orchestrator.local.wire.call import Call, Reply, listing
from orchestrator.local.wire.odata import Field, Filter, parse_filter
from orchestrator.local.wire.paging import Selection, next_link, page_size, read_token

R = TypeVar("R")
Walk = Callable[[str | None], Iterable[tuple[str, R]]]
"""Given the key after which to begin, gives keys and records in order."""


def list_page(
    call: Call,
    metadata: str,
    walk: Walk[R],
    show: Callable[[R], Mapping[str, Any]],
    *,
    fields: Mapping[str, Field[R]] | None = None,
    members: frozenset[str] | None = None,
    narrow: Callable[[Filter[R]], Walk[R]] | None = None,
) -> Reply:
    """Answer a list request.

    Args:
        call: the request.
        metadata: what follows `$metadata#`.
        walk: the collection.
        show: a record as the wire shows it.
        fields: that it can be filtered by.
        members: that can be selected.
        narrow: gives a walk over those records that a filter can mean, in place of all of them.

    Returns:
        A page, with a next link if there is more.

    Raises:
        ApiError: for a parameter that can't be used.
    """
    size = page_size(call.query.get("maxresults"))
    selection = select(call, metadata, members or frozenset())
    check_expand(call)
    start = read_token(call.query.get("$skiptoken"))
    stated = call.query.get("$filter")
    filtered = parse_filter(stated, fields or {}) if stated is not None else None
    wanted = filtered.test if filtered is not None else None
    if filtered is not None and narrow is not None:
        walk = narrow(filtered)
    page: list[Mapping[str, Any]] = []
    last = ""
    for key, record in walk(start):
        if wanted is not None and not wanted(record):
            continue
        if len(page) == size:
            return listing(call, metadata, page, next_link(call.url, call.raw_query, last))
        page.append(selection.apply(show(record)))
        last = key
    return listing(call, metadata, page)


def select(call: Call, metadata: str, members: frozenset[str]) -> Selection:
    """Read `$select`, by the names of the request's version.

    Args:
        call: the request.
        metadata: what follows `$metadata#`.
        members: that can be selected.

    Raises:
        ApiError: InvalidQueryParameterValue for a name that the resource does not have.
    """
    return Selection(call.dialect.select(metadata, call.query.get("$select")), members)


def check_expand(call: Call) -> None:
    """Take `$expand=stats`, which adds nothing while there are no statistics (recorded).

    Args:
        call: the request.

    Raises:
        ApiError: InvalidQueryParameterValue for anything else.
    """
    stated = call.query.get("$expand")
    if stated is not None and stated != "stats":
        raise invalid_query_parameter("$expand", stated, "Only stats can be expanded")


def walk_sorted(keys: Iterable[str]) -> Walk[str]:
    """Make a walk over names that are their own records.

    Args:
        keys: in any order.
    """
    ordered = sorted(keys)

    def walk(start: str | None) -> Iterable[tuple[str, str]]:
        return ((key, key) for key in ordered if start is None or key > start)

    return walk
