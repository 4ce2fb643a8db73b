"""Sessions of the page: what a browser gets in place of a token, which it could not keep to itself."""

from __future__ import annotations

import hashlib
import hmac
from datetime import datetime

from orchestrator.daemon.tokens import Scope, Tokens

_PARTS = 3


class Sessions:
    """Signs and checks sessions. Nothing is kept, so that they outlive the daemon, and end with its tokens.

    Args:
        tokens: whose holders may have sessions; the signing key comes from both.
        lifetime: seconds that a session lasts.
    """

    def __init__(self, tokens: Tokens, *, lifetime: float) -> None:
        self._key = tokens.derived_key(b"sessions of the page")
        self.lifetime = lifetime

    def begin(self, scope: Scope, *, now: datetime) -> str:
        """The value of a new session's cookie.

        Args:
            scope: what it allows.
            now: aware.
        """
        told = f"{scope.value}.{int(now.timestamp() + self.lifetime)}"
        return f"{told}.{self._sign(told)}"

    def scope_of(self, session: str, *, now: datetime) -> Scope | None:
        """What a session allows; None if it is over, or none of ours.

        Args:
            session: the cookie's value.
            now: aware.
        """
        parts = session.split(".")
        if len(parts) != _PARTS or not session.isascii():
            return None
        scope, end, signature = parts
        # Signed by us, so what it says needs no more checks.
        if not hmac.compare_digest(signature, self._sign(f"{scope}.{end}")):
            return None
        return Scope(scope) if now.timestamp() < int(end) else None

    def _sign(self, told: str) -> str:
        return hmac.new(self._key, told.encode(), hashlib.sha256).hexdigest()
