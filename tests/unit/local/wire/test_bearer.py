from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import Any, Final

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from multidict import CIMultiDict

from orchestrator.local.wire import times
from orchestrator.local.wire.api_error import ApiError
from orchestrator.local.wire.auth import Sent
from orchestrator.local.wire.bearer import BearerTokens
from orchestrator.local.wire.credentials import Credentials

KEY: Final = base64.b64encode(b"0123456789abcdef" * 4).decode()
OTHER_KEY: Final = base64.b64encode(b"fedcba9876543210" * 4).decode()
AT: Final = times.parse_timestamp("2026-01-22T20:18:17.6076943Z")
HOUR: Final = 3600
TOKEN: Final = BearerTokens(KEY).make(at=AT, seconds=HOUR)


def later(seconds: int) -> int:
    return AT + seconds * times.TICKS_PER_SECOND


def detail(token: str, at: int = AT) -> str:
    with pytest.raises(ApiError) as refusal:
        BearerTokens(KEY).verify(token, at=at)
    assert (refusal.value.status, refusal.value.code) == (401, "AuthenticationFailed")
    return refusal.value.values["AuthenticationErrorDetail"]


def encoded(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def signed(header: object, claims: object, key: bytes | None = None) -> str:
    """A token with a right signature, whatever it says."""
    text = f"{encoded(header)}.{encoded(claims)}"
    secret = BearerTokens(KEY)._key if key is None else key
    digest = hmac.new(secret, text.encode(), hashlib.sha256).digest()
    return f"{text}.{base64.urlsafe_b64encode(digest).rstrip(b'=').decode()}"


def claims(**changes: Any) -> dict[str, Any]:
    payload = TOKEN.split(".")[1]
    found: dict[str, Any] = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return {name: value for name, value in {**found, **changes}.items() if value is not None}


@pytest.mark.parametrize("seconds", [0, HOUR - 1])
def test_a_token_made_with_the_key_passes_while_it_is_good(seconds: int) -> None:
    BearerTokens(KEY).verify(TOKEN, at=later(seconds))


def test_it_says_what_a_token_of_entra_says() -> None:
    assert claims()["aud"] == "https://batch.core.windows.net/"
    assert claims()["scp"] == "user_impersonation"
    assert claims()["exp"] - claims()["nbf"] == HOUR


@pytest.mark.parametrize("seconds", [HOUR, 10 * HOUR])
def test_an_expired_token_is_refused(seconds: int) -> None:
    assert "expired" in detail(TOKEN, later(seconds))


def test_a_token_from_the_future_is_refused() -> None:
    assert "not good yet" in detail(TOKEN, later(-2))


def test_another_keys_token_is_refused() -> None:
    assert "not signed" in detail(BearerTokens(OTHER_KEY).make(at=AT, seconds=HOUR))


def test_the_accounts_key_itself_signs_no_token() -> None:
    assert "not signed" in detail(signed({"alg": "HS256"}, claims(), base64.b64decode(KEY)))


@pytest.mark.parametrize("algorithm", ["none", "HS512", "RS256", None])
def test_another_algorithm_is_refused_even_with_a_right_signature(algorithm: str | None) -> None:
    assert "HS256" in detail(signed({"alg": algorithm}, claims()))


def test_a_token_without_a_signature_is_refused() -> None:
    for token in (f"{encoded({'alg': 'none'})}.{encoded(claims())}.", encoded(claims()), "", ".", "..", "é"):
        assert "not signed" in detail(token)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"aud": "https://storage.azure.com/"}, "audience"),
        ({"aud": None}, "audience"),
        ({"scp": "read_only"}, "scope"),
        ({"scp": None}, "scope"),
        ({"exp": None}, "how long"),
        ({"nbf": "soon"}, "how long"),
    ],
)
def test_every_claim_is_checked(changes: dict[str, Any], told: str) -> None:
    assert told in detail(signed({"alg": "HS256"}, claims(**changes)))


@given(st.integers(0, len(TOKEN) - 1), st.characters(min_codepoint=33, max_codepoint=126))
def test_no_changed_token_passes(place: int, letter: str) -> None:
    assume(TOKEN[place] != letter)
    detail(TOKEN[:place] + letter + TOKEN[place + 1 :])


def verify(authorization: str) -> None:
    headers = CIMultiDict({"Authorization": authorization})
    Credentials("local", KEY).verify(Sent(method="GET", raw_path="/jobs", query=(), headers=headers), at=AT)


def test_a_request_with_a_token_needs_no_signature() -> None:
    verify(f"Bearer {TOKEN}")
    verify(f"bearer {TOKEN}")


@pytest.mark.parametrize(
    ("authorization", "status"), [("Bearer x", 401), ("Bearer", 401), ("SharedKey local:x", 403), ("", 403)]
)
def test_a_bad_token_is_401_and_a_bad_signature_403(authorization: str, status: int) -> None:
    with pytest.raises(ApiError) as refusal:
        verify(authorization)
    assert refusal.value.status == status


def test_a_key_that_is_not_base64_is_refused() -> None:
    with pytest.raises(ValueError, match="base64"):
        BearerTokens("not a key")
