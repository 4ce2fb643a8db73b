"""Pages of a list, and `$select`.

Sources of facts: recorded (order by lower-cased id, maxresults below 1, the next link as last member and
built from the request's own parameters); the REST page "Common parameters and headers".
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any, Final

from orchestrator.local.wire.api_error import invalid_query_parameter, out_of_range_query_parameter

LARGEST_PAGE: Final = 1000
_MARK: Final = "l1."


def page_size(stated: str | None) -> int:
    """Read `maxresults`.

    Args:
        stated: the parameter, None when it is absent.

    Returns:
        How many elements the page may have.

    Raises:
        ApiError: InvalidQueryParameterValue or OutOfRangeQueryParameterValue.
    """
    if stated is None:
        return LARGEST_PAGE
    try:
        size = int(stated)
    except ValueError:
        raise invalid_query_parameter("maxresults", stated, "MaxResults is not a number") from None
    if size < 1:
        raise invalid_query_parameter("maxresults", stated, "MaxResults cannot be less than 1")
    if size > LARGEST_PAGE:
        reason = f"MaxResults cannot be greater than {LARGEST_PAGE}"
        raise out_of_range_query_parameter("maxresults", stated, reason)
    return size


def read_token(token: str | None) -> str | None:
    """Read `$skiptoken`.

    Args:
        token: the parameter, None when it is absent.

    Returns:
        The key after which the page begins; None for the first page.

    Raises:
        ApiError: InvalidQueryParameterValue when this service never made it.
    """
    if token is None:
        return None
    encoded = token.removeprefix(_MARK)
    try:
        key = base64.b64decode(encoded + "=" * (-len(encoded) % 4), altchars=b"-_", validate=True).decode()
    except (ValueError, binascii.Error):
        key = ""
    if not key or encoded == token:
        raise invalid_query_parameter("$skiptoken", token, "The token was not made by this service")
    return key


def next_link(url: str, raw_query: str, last_key: str) -> str:
    """Make the address of the next page.

    The token has only characters that no client encodes or decodes on the way.

    Args:
        url: of the list, without a query.
        raw_query: of this request, as sent.
        last_key: of this page's last element.

    Returns:
        An absolute URL.
    """
    kept = [
        part
        for part in raw_query.split("&")
        if part and part.partition("=")[0].lower().replace("%24", "$") != "$skiptoken"
    ]
    encoded = base64.urlsafe_b64encode(last_key.encode()).decode().rstrip("=")
    return f"{url}?{'&'.join([*kept, f'$skiptoken={_MARK}{encoded}'])}"


class Selection:
    """What `$select` asks for.

    Args:
        stated: the parameter, None when it is absent.
        known: every member that the resource can have.

    Raises:
        ApiError: InvalidQueryParameterValue for a name that the resource does not have.
    """

    def __init__(self, stated: str | None, known: frozenset[str]) -> None:
        self.names: frozenset[str] | None = None
        if stated is None:
            return
        names = [name.strip() for name in stated.split(",")]
        for name in names:
            if name not in known:
                raise invalid_query_parameter("$select", stated, f"'{name}' is no property of the resource")
        self.names = frozenset(names)

    def apply(self, wire: Mapping[str, Any]) -> Mapping[str, Any]:
        """Keep what was asked for.

        Args:
            wire: a resource.

        Returns:
            The same members in the same order, or fewer.
        """
        if self.names is None:
            return wire
        names = self.names
        return {name: value for name, value in wire.items() if name in names}
