from __future__ import annotations

import base64
from dataclasses import dataclass, replace
from typing import Final

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from multidict import CIMultiDict

from orchestrator.local.wire import times
from orchestrator.local.wire.api_error import ApiError
from orchestrator.local.wire.auth import Sent, SharedKey, string_to_sign

KEY: Final = base64.b64encode(b"0123456789abcdef" * 4).decode()
ACCOUNT: Final = "local"
AT: Final = times.parse_timestamp("2026-01-22T20:18:17.6076943Z")


@dataclass(frozen=True)
class Request:
    method: str = "GET"
    raw_path: str = "/jobs/j/tasks"
    query: tuple[tuple[str, str], ...] = (("api-version", "2025-06-01"), ("$filter", "state eq 'active'"))
    headers: tuple[tuple[str, str], ...] = (("ocp-date", times.http_date(AT)), ("ocp-range", "bytes=0-3"))


def _sign(request: Request, *, length: str = "", path: str | None = None, lower: bool = False) -> str:
    string = string_to_sign(
        method=request.method,
        resource=f"/{ACCOUNT}{path or request.raw_path}",
        query=request.query,
        headers=CIMultiDict(request.headers),
        content_length=length,
        lower_names=lower,
    )
    return f"SharedKey {ACCOUNT}:{SharedKey(ACCOUNT, KEY).sign(string)}"


def _verify(request: Request, authorization: str | None, at: int = AT) -> None:
    headers = CIMultiDict(request.headers)
    if authorization is not None:
        headers["Authorization"] = authorization
    sent = Sent(method=request.method, raw_path=request.raw_path, query=request.query, headers=headers)
    SharedKey(ACCOUNT, KEY).verify(sent, at=at)


def _detail(request: Request, authorization: str | None, at: int = AT) -> str:
    with pytest.raises(ApiError) as refusal:
        _verify(request, authorization, at)
    assert (refusal.value.status, refusal.value.code) == (403, "AuthenticationFailed")
    return refusal.value.values["AuthenticationErrorDetail"]


def test_a_request_signed_with_the_key_passes() -> None:
    _verify(Request(), _sign(Request()))


def test_the_string_to_sign_is_the_documented_one() -> None:
    string = string_to_sign(
        method="POST",
        resource="/local/pools",
        query=[("timeOut", "30"), ("api-version", "2025-06-01"), ("empty", ""), ("timeOut", "31")],
        headers=CIMultiDict({"Content-Type": "application/json", "ocp-date": "D", "client-request-id": "x"}),
        content_length="2",
    )
    assert string == (
        "POST\n\n\n2\n\napplication/json\n\n\n\n\n\n\nocp-date:D\n/local/pools\napi-version:2025-06-01\ntimeOut:30"
    )


@pytest.mark.parametrize("length", ["0", ""])
@pytest.mark.parametrize("header", [(), (("Content-Length", "0"),)])
def test_no_body_may_be_signed_as_zero_or_as_nothing(
    length: str, header: tuple[tuple[str, str], ...]
) -> None:
    request = Request(method="POST")
    request = replace(request, headers=(*request.headers, *header))
    _verify(request, _sign(request, length=length))


def test_a_segment_may_be_signed_quoted_whole_or_as_sent() -> None:
    request = Request(raw_path="/jobs/j/tasks/t/files/wd%2Fa&b=c.txt")
    _verify(request, _sign(request, path="/jobs/j/tasks/t/files/wd%2Fa%26b%3Dc.txt"))
    _verify(request, _sign(request))


def test_query_names_may_be_signed_in_lower_case() -> None:
    request = Request(query=(("api-version", "2025-06-01"), ("timeOut", "30")))
    _verify(request, _sign(request, lower=True))


@pytest.mark.parametrize("minutes", [-16, 16])
def test_a_date_out_of_the_window_is_refused(minutes: int) -> None:
    later = AT + minutes * 60 * times.TICKS_PER_SECOND
    assert "too far" in _detail(Request(), _sign(Request()), later)


def test_a_date_within_the_window_passes() -> None:
    _verify(Request(), _sign(Request()), AT + 14 * 60 * times.TICKS_PER_SECOND)


def test_a_request_without_a_date_is_refused() -> None:
    bare = Request(headers=())
    assert "ocp-date" in _detail(bare, _sign(bare))


def test_an_unknown_account_is_named() -> None:
    authorization = _sign(Request()).replace(f" {ACCOUNT}:", " other:")
    assert _detail(Request(), authorization) == (
        "Cannot find the claimed account when trying to GetProperties for the account other."
    )


@pytest.mark.parametrize(
    "authorization", [None, "", "Bearer abc", "SharedKey local", "SharedKeyLite local:x"]
)
def test_anything_but_a_shared_key_is_refused(authorization: str | None) -> None:
    assert "Authorization" in _detail(Request(), authorization)


requests = st.builds(
    Request,
    method=st.sampled_from(["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD"]),
    raw_path=st.lists(st.text("abc019%2F-_&=", min_size=1, max_size=6), min_size=1, max_size=4).map(
        lambda parts: "/" + "/".join(part.replace("%", "%25") for part in parts)
    ),
    query=st.lists(
        st.tuples(
            st.sampled_from(["api-version", "$filter", "timeOut"]), st.text("ab '=", min_size=1, max_size=5)
        ),
        max_size=3,
        unique_by=lambda pair: pair[0],
    ).map(tuple),
    headers=st.lists(
        st.tuples(
            st.sampled_from(["If-Match", "Content-Type", "ocp-range", "Range"]),
            st.text("ab09", min_size=1, max_size=4),
        ),
        max_size=3,
        unique_by=lambda pair: pair[0],
    ).map(lambda pairs: (("ocp-date", times.http_date(AT)), *pairs)),
)


@given(requests, requests)
def test_a_signature_is_good_for_its_own_request_only(signed: Request, sent: Request) -> None:
    assume(_canonical(signed) != _canonical(sent))
    length = "" if signed.method in ("GET", "HEAD") else "0"
    authorization = _sign(signed, length=length)
    _verify(signed, authorization)
    _detail(sent, authorization)


def _canonical(request: Request) -> tuple[str, str, tuple[tuple[str, str], ...], tuple[tuple[str, str], ...]]:
    return request.method, request.raw_path, tuple(sorted(request.query)), tuple(sorted(request.headers))


@given(st.binary(min_size=32, max_size=32))
def test_no_other_signature_passes(forged: bytes) -> None:
    authorization = _sign(Request())
    other = f"SharedKey {ACCOUNT}:{base64.b64encode(forged).decode()}"
    assume(other != authorization)
    _detail(Request(), other)


def test_a_key_that_is_not_base64_is_refused() -> None:
    with pytest.raises(ValueError, match="base64"):
        SharedKey(ACCOUNT, "not a key")
