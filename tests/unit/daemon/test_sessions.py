from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.daemon.sessions import Sessions
from orchestrator.daemon.tokens import Scope, Tokens
from orchestrator.spec.secret import SecretText

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def sessions(read: str = "the token to read", write: str = "the token to write") -> Sessions:
    return Sessions(Tokens(read=SecretText(read), write=SecretText(write)), lifetime=60)


@pytest.mark.parametrize("scope", list(Scope))
def test_a_session_allows_what_it_was_begun_for_until_its_end(scope: Scope) -> None:
    session = sessions().begin(scope, now=NOW)
    assert sessions().scope_of(session, now=NOW + timedelta(seconds=59)) is scope
    assert sessions().scope_of(session, now=NOW + timedelta(seconds=60)) is None


def test_a_session_ends_with_either_token() -> None:
    session = sessions().begin(Scope.READ, now=NOW)
    assert sessions(read="another token to read").scope_of(session, now=NOW) is None
    assert sessions(write="another token to write").scope_of(session, now=NOW) is None


def test_a_session_says_nothing_of_the_tokens() -> None:
    session = sessions().begin(Scope.WRITE, now=NOW)
    assert "token" not in session
    assert session.isascii()


def test_what_a_session_says_cannot_be_changed() -> None:
    scope, end, signature = sessions().begin(Scope.READ, now=NOW).split(".")
    for forged in (f"write.{end}.{signature}", f"{scope}.{int(end) + 1}.{signature}", f"{scope}.{end}."):
        assert sessions().scope_of(forged, now=NOW) is None


@given(st.text())
def test_nothing_else_is_a_session(text: str) -> None:
    assert sessions().scope_of(text, now=NOW) is None
