"""Who sends this request: whoever signed it with the account's key, or carries a token made with it."""

from __future__ import annotations

from typing import Final

from orchestrator.local.wire.auth import Sent, SharedKey
from orchestrator.local.wire.bearer import BearerTokens

_BEARER: Final = "bearer"


class Credentials:
    """Verifies the requests of one account.

    Args:
        account_name: as clients know it.
        account_key: base64, as clients know it.

    Raises:
        ValueError: when the key is not base64.
    """

    def __init__(self, account_name: str, account_key: str) -> None:
        self._shared_key = SharedKey(account_name, account_key)
        self._tokens = BearerTokens(account_key)

    def verify(self, sent: Sent, *, at: int) -> None:
        """Pass a request that is signed, or carries a token; see `SharedKey` and `BearerTokens`.

        Args:
            sent: the request.
            at: the present instant in ticks.

        Raises:
            ApiError: 401 for a token, 403 for a signature.
        """
        scheme, _, token = sent.headers.get("Authorization", "").partition(" ")
        if scheme.lower() == _BEARER:
            self._tokens.verify(token.strip(), at=at)
        else:
            self._shared_key.verify(sent, at=at)
