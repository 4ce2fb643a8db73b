"""SharedKey: who signed this request, and is it what they signed?

Source of facts: the REST page "Authenticate requests to the Azure Batch service", and what the SDKs sign.
They differ in three places, so a request passes when any reading of these is the signed one: the path as
sent or with each segment quoted whole (the Python SDK signs `%26` where its transport sends `&`), `0` or
nothing as the length of no body, and query names as sent or in lower case. Every reading covers the whole
request.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, unquote

from orchestrator.local.wire.api_error import ApiError, authentication_failed
from orchestrator.local.wire.times import TICKS_PER_SECOND, parse_http_date

_SIGNED_BEFORE_LENGTH: Final = ("content-encoding", "content-language")
_SIGNED_AFTER_LENGTH: Final = (
    "content-md5",
    "content-type",
    "date",
    "if-modified-since",
    "if-match",
    "if-none-match",
    "if-unmodified-since",
    "range",
)
_BODILESS: Final = frozenset({"GET", "HEAD"})
_CLOCK_TOLERANCE: Final = 15 * 60 * TICKS_PER_SECOND


@dataclass(frozen=True, kw_only=True, slots=True)
class Sent:
    """What of a request tells who sent it.

    Args:
        method: upper case.
        raw_path: as on the request line, without the query.
        query: decoded names and values in the order sent.
        headers: looked up without case.
    """

    method: str
    raw_path: str
    query: Sequence[tuple[str, str]]
    headers: Mapping[str, str]


class SharedKey:
    """Verifies the requests of one account.

    Args:
        account_name: as clients know it.
        account_key: base64, as clients know it.

    Raises:
        ValueError: when the key is not base64.
    """

    def __init__(self, account_name: str, account_key: str) -> None:
        try:
            self._key = base64.b64decode(account_key, validate=True)
        except binascii.Error as broken:
            raise ValueError("the account key is not base64") from broken
        self.account_name = account_name

    def sign(self, string: str) -> str:
        """Sign a string.

        Args:
            string: see string_to_sign.

        Returns:
            The signature in base64.
        """
        digest = hmac.new(self._key, string.encode("utf-8", "surrogateescape"), hashlib.sha256).digest()
        return base64.b64encode(digest).decode()

    def verify(self, sent: Sent, *, at: int) -> None:
        """Pass a request that was signed with the account's key within a quarter of an hour.

        Args:
            sent: the request.
            at: the present instant in ticks.

        Raises:
            ApiError: AuthenticationFailed, with what is wrong in AuthenticationErrorDetail.
        """
        account, signature = self._claim(sent.headers.get("Authorization"))
        if account != self.account_name:
            # The recorded sentence; it names only what the client itself claimed.
            raise authentication_failed(
                f"Cannot find the claimed account when trying to GetProperties for the account {account}."
            )
        _check_date(sent.headers, at)
        paths = dict.fromkeys((_requoted(sent.raw_path), sent.raw_path))
        lengths = _length_readings(sent.method, sent.headers.get("Content-Length"))
        for path, length, lowered in itertools.product(paths, lengths, (False, True)):
            string = string_to_sign(
                method=sent.method,
                resource=f"/{account}{path}",
                query=sent.query,
                headers=sent.headers,
                content_length=length,
                lower_names=lowered,
            )
            if hmac.compare_digest(self.sign(string).encode(), signature.encode("utf-8", "surrogateescape")):
                return
        raise authentication_failed(
            "The MAC signature found in the HTTP request is not the same as any computed signature."
        )

    @staticmethod
    def _claim(authorization: str | None) -> tuple[str, str]:
        if not authorization:
            raise authentication_failed("The Authorization header is missing.")
        scheme, _, credential = authorization.partition(" ")
        account, colon, signature = credential.strip().partition(":")
        if scheme != "SharedKey" or not colon:
            raise authentication_failed(
                "The Authorization header is not in the form SharedKey ACCOUNT:SIGNATURE or Bearer TOKEN,"
                " the only ones that the local service accepts."
            )
        return account, signature


def string_to_sign(
    *,
    method: str,
    resource: str,
    query: Sequence[tuple[str, str]],
    headers: Mapping[str, str],
    content_length: str,
    lower_names: bool = False,
) -> str:
    """Write down what a client signs.

    Args:
        method: upper case.
        resource: slash, account name and path.
        query: decoded names and values in the order sent; of a repeated name the first counts.
        headers: looked up without case.
        content_length: as it is read here.
        lower_names: whether query names are put in lower case, as the documentation has it.

    Returns:
        Lines joined by line feeds.
    """
    lines = [method]
    lines += [headers.get(name, "") for name in _SIGNED_BEFORE_LENGTH]
    lines.append(content_length)
    lines += [headers.get(name, "") for name in _SIGNED_AFTER_LENGTH]
    service: dict[str, str] = {}
    for name, value in headers.items():
        if name.lower().startswith("ocp-") and value:
            service.setdefault(name.lower(), value)
    lines += [f"{name}:{service[name]}" for name in sorted(service)]
    lines.append(resource)
    parameters: dict[str, str] = {}
    for name, value in query:
        if value:
            parameters.setdefault(name.lower() if lower_names else name, value)
    lines += [f"{name}:{parameters[name]}" for name in sorted(parameters)]
    return "\n".join(lines)


def _requoted(raw_path: str) -> str:
    return "/".join(quote(unquote(segment), safe="") for segment in raw_path.split("/"))


def _length_readings(method: str, header: str | None) -> tuple[str, ...]:
    if header and header != "0":
        return (header,)
    if method in _BODILESS:
        return ("",) if header is None else ("", header)
    return ("0", "")


def _check_date(headers: Mapping[str, str], at: int) -> None:
    stated = headers.get("ocp-date") or headers.get("Date")
    if not stated:
        raise authentication_failed("Neither the ocp-date nor the Date header is there.")
    try:
        signed_at = parse_http_date(stated)
    except ValueError:
        raise authentication_failed(f"The date header is not an RFC 1123 date: {stated}") from None
    if abs(signed_at - at) > _CLOCK_TOLERANCE:
        raise _stale(stated)


def _stale(stated: str) -> ApiError:
    return authentication_failed(f"The date header specified is too far from the server's time: {stated}")
