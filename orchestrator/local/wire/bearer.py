"""Bearer tokens: signed with a key that comes from the account's, good for a while, refused otherwise.

The real service takes tokens of Microsoft Entra ID. Here who knows the account's key makes them: to take
any token would be handing out code execution. The form is theirs (a JWT with `aud`, `scp`, `nbf`, `exp`), so
that clients need no other code; the algorithm is HS256 only, whatever a token's header asks for.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from typing import Any, Final

from orchestrator.local.wire.api_error import invalid_token
from orchestrator.local.wire.times import to_datetime

AUDIENCE: Final = "https://batch.core.windows.net/"
SCOPE: Final = "user_impersonation"
"""What Entra ID writes into a token for the scope `https://batch.core.windows.net//.default`."""

_HEADER: Final = {"alg": "HS256", "typ": "JWT"}
_PURPOSE: Final = b"orchestrator local: bearer tokens of the Batch endpoint"
_ISSUER: Final = "orchestrator local-token"


class BearerTokens:
    """Makes and verifies the tokens of one account.

    Args:
        account_key: base64, as clients know it. The tokens' key is made from it, so that a token gives away
            nothing that signs requests.

    Raises:
        ValueError: when the key is not base64.
    """

    def __init__(self, account_key: str) -> None:
        try:
            key = base64.b64decode(account_key, validate=True)
        except binascii.Error as broken:
            raise ValueError("the account key is not base64") from broken
        self._key = hmac.new(key, _PURPOSE, hashlib.sha256).digest()

    def make(self, *, at: int, seconds: int) -> str:
        """Make a token.

        Args:
            at: the present instant in ticks.
            seconds: for which it is good.
        """
        now = _seconds(at)
        claims = {
            "aud": AUDIENCE,
            "iss": _ISSUER,
            "iat": now,
            "nbf": now,
            "exp": now + seconds,
            "scp": SCOPE,
        }
        signed = f"{_encoded(_HEADER)}.{_encoded(claims)}"
        return f"{signed}.{self._signature(signed)}"

    def verify(self, token: str, *, at: int) -> None:
        """Pass a token that was made here, for this service, and is good now.

        Args:
            token: without the word Bearer.
            at: the present instant in ticks.

        Raises:
            ApiError: AuthenticationFailed, 401, with what is wrong in AuthenticationErrorDetail.
        """
        signed, _, signature = token.rpartition(".")
        if not hmac.compare_digest(
            self._signature(signed).encode(), signature.encode(errors="surrogateescape")
        ):
            raise invalid_token("The token is not signed with this account's key.")
        header, _, claims = signed.partition(".")
        try:
            algorithm = _decoded(header).get("alg")
            values = _decoded(claims)
        except ValueError:
            raise invalid_token("The token is not a JSON Web Token.") from None
        if algorithm != _HEADER["alg"]:
            raise invalid_token("The token's algorithm is not HS256.")
        _check(values, _seconds(at))

    def _signature(self, signed: str) -> str:
        digest = hmac.new(self._key, signed.encode(errors="surrogateescape"), hashlib.sha256).digest()
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def _check(claims: dict[str, Any], now: int) -> None:
    if claims.get("aud") not in {AUDIENCE, AUDIENCE.rstrip("/")}:
        raise invalid_token(f"The token's audience is not {AUDIENCE}.")
    if SCOPE not in str(claims.get("scp", "")).split():
        raise invalid_token(f"The token's scope is not {SCOPE}.")
    begin, end = claims.get("nbf"), claims.get("exp")
    if not isinstance(begin, int | float) or not isinstance(end, int | float):
        raise invalid_token("The token does not say how long it is good.")
    if now < begin:
        raise invalid_token("The token is not good yet.")
    if now >= end:
        raise invalid_token("The token has expired.")


def _seconds(at: int) -> int:
    return int(to_datetime(at).timestamp())


def _encoded(values: dict[str, Any]) -> str:
    text = json.dumps(values, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(text).rstrip(b"=").decode()


def _decoded(part: str) -> dict[str, Any]:
    padded = part + "=" * (-len(part) % 4)
    values = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    if not isinstance(values, dict):
        raise ValueError("not an object")  # noqa: TRY004  # the client's mistake, not a caller's
    return values
