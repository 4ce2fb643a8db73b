"""One request as a handler sees it, and the answer that a handler gives."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import unquote_plus

import msgspec

from orchestrator.local.wire.api_error import invalid_request_body
from orchestrator.local.wire.dialect import Dialect
from orchestrator.local.wire.layout import render, render_list
from orchestrator.local.wire.times import etag, http_date

JSON_TYPE: Final = "application/json;odata=minimalmetadata"


def parse_query(raw: str) -> tuple[tuple[str, str], ...]:
    """Split a query string.

    Args:
        raw: without the question mark, as sent.

    Returns:
        Decoded names and values in the order sent; a plus is a space.
    """
    pairs = (part.partition("=") for part in raw.split("&") if part)
    return tuple((unquote_plus(name), unquote_plus(value)) for name, _, value in pairs)


@dataclass(frozen=True, kw_only=True, slots=True)
class Call:
    """A request that was signed well and names an operation.

    Args:
        operation: its name.
        method: upper case.
        account_url: as the client reaches the account, without a slash at the end.
        raw_path: as on the request line, without the query.
        raw_query: as on the request line.
        parameters: the variable parts of the path, decoded.
        query: first value of each parameter; empty ones are left out.
        headers: looked up without case.
        body: as sent.
        request_id: of the answer.
        dialect: of its api-version.
        at: when it arrived, in ticks.
        as_of: the instant whose state the answer is to show, in ticks; None for now.
    """

    operation: str
    method: str
    account_url: str
    raw_path: str
    raw_query: str
    parameters: Mapping[str, str]
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    request_id: str
    dialect: Dialect
    at: int
    as_of: int | None = None

    @property
    def url(self) -> str:
        """The address that was called, without the query."""
        return self.account_url + self.raw_path

    @property
    def api_version(self) -> str:
        """As sent."""
        return self.dialect.version

    def json(self) -> dict[str, Any]:
        """Read the body.

        Returns:
            The object, in the newest version's shape; an empty one when there is no body.

        Raises:
            ApiError: InvalidRequestBody when it is something else, UnsupportedProperty for a member that its
                version does not have.
        """
        if not self.body.strip():
            return {}
        try:
            value = msgspec.json.decode(self.body)
        except (msgspec.DecodeError, UnicodeDecodeError) as broken:
            raise invalid_request_body(str(broken)) from None
        if not isinstance(value, dict):
            raise invalid_request_body("The body is not a JSON object.")
        return self.dialect.read(self.operation, value)


class Framing(Enum):
    """How the end of an answer is told (recorded: it differs by kind of answer, not by length)."""

    CHUNKED = auto()
    LENGTH = auto()


@dataclass(frozen=True, kw_only=True, slots=True)
class Reply:
    """An answer.

    Args:
        status: HTTP status.
        headers: besides those that every answer has.
        body: the whole of it, or its pieces.
        framing: how its end is told.
        length: of the body that a HEAD leaves out.
        reason: phrase of the status line, where it is not the usual one.
    """

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | AsyncIterator[bytes] = b""
    framing: Framing = Framing.CHUNKED
    length: int | None = None
    reason: str | None = None


def _stamped(modified: int) -> dict[str, str]:
    return {"ETag": etag(modified), "Last-Modified": http_date(modified)}


def created(url: str, modified: int | None) -> Reply:
    """201 with the address of what was made.

    Args:
        url: of the resource.
        modified: its lastModified; None for what has no ETag.
    """
    stamp = {} if modified is None else _stamped(modified)
    return Reply(status=201, headers={"DataServiceId": url, "Location": url, **stamp})


def done(status: int, *, service_id: str | None = None, modified: int | None = None) -> Reply:
    """A write that went well, with an empty body.

    Args:
        status: 200, 202 or 204.
        service_id: URL for DataServiceId, where the operation tells one.
        modified: lastModified, where the operation tells it.
    """
    headers = {} if service_id is None else {"DataServiceId": service_id}
    if modified is not None:
        headers |= _stamped(modified)
    framing = Framing.LENGTH if status == HTTPStatus.NO_CONTENT else Framing.CHUNKED
    return Reply(status=status, headers=headers, framing=framing)


def element(
    call: Call,
    metadata: str,
    wire: Mapping[str, Any],
    modified: int | None = None,
    *,
    service_id: str | None = None,
) -> Reply:
    """200 with one resource.

    Args:
        call: the request.
        metadata: what follows `$metadata#`.
        wire: the members.
        modified: lastModified, for what has an ETag.
        service_id: URL for DataServiceId, where the operation tells one.
    """
    headers = {"Content-Type": JSON_TYPE}
    if service_id is not None:
        headers["DataServiceId"] = service_id
    if modified is not None:
        headers |= _stamped(modified)
    shown = call.dialect.show(metadata, wire)
    body = render({"odata.metadata": f"{call.account_url}/$metadata#{metadata}", **shown})
    return Reply(status=200, headers=headers, body=body)


def listing(call: Call, metadata: str, page: Sequence[Mapping[str, Any]], link: str | None = None) -> Reply:
    """200 with a page of a list.

    Args:
        call: the request.
        metadata: what follows `$metadata#`.
        page: its elements.
        link: where the next page is.
    """
    shown = [call.dialect.show(metadata, one) for one in page]
    body = render_list(f"{call.account_url}/$metadata#{metadata}", shown, link)
    return Reply(status=200, headers={"Content-Type": JSON_TYPE}, body=body)
