"""No signature, key or token survives in a text that people read."""

from __future__ import annotations

import string
import traceback

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.accounts.redaction import HiddenCauseError, shown_cause, without_query

_HOSTS = st.sampled_from(
    ["https://acc.blob.core.windows.net/in/0-ab", "http://127.0.0.1:10000/local/out", "HTTPS://h/c"]
)
_SECRET = st.text(string.ascii_letters + string.digits + "%/+=_-", min_size=12, max_size=60)
_AROUND = st.text(st.characters(codec="utf-8", exclude_characters="?&="), max_size=40)


@given(before=_AROUND, host=_HOSTS, secret=_SECRET, after=_AROUND)
def test_the_signature_of_an_address_never_survives(before: str, host: str, secret: str, after: str) -> None:
    shown = without_query(f"{before} {host}?sv=2026-10-06&sr=b&sig={secret}&se=x {after}")
    assert f"sig={secret}" not in shown
    assert "sv=2026" not in shown
    assert host in shown


@given(secret=_SECRET, after=_AROUND)
def test_a_signature_goes_even_where_the_address_has_no_scheme(secret: str, after: str) -> None:
    assert f"={secret}" not in without_query(f"acc.blob.core.windows.net/c?sp=r&sig={secret} {after}")


@given(_AROUND)
def test_a_text_without_addresses_stays_as_it_is(text: str) -> None:
    assert without_query(text) == text


@given(st.text(max_size=200))
def test_what_was_cleaned_stays_as_it_is(text: str) -> None:
    assert without_query(without_query(text)) == without_query(text)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("AccountName=a;AccountKey=abc==;x", "AccountName=a;AccountKey=***;x"),
        ("Authorization: SharedKey acc:c2ln", "Authorization: SharedKey acc:***"),
        ("Bearer eyJ0.e.s", "Bearer ***"),
        ('{"httpUrl":"https://h/c/b?sig=s","filePath":"p"}', '{"httpUrl":"https://h/c/b'),
        ("see https://h/p. and more?", "see https://h/p. and more?"),
    ],
)
def test_each_kind_of_secret_is_known(text: str, shown: str) -> None:
    assert without_query(text) == shown


def test_a_cause_that_shows_no_secret_is_told_as_it_is() -> None:
    cause = ValueError("no such blob")
    cause.__cause__ = OSError("https://h/c/b")
    assert shown_cause(cause) is cause
    assert shown_cause(None) is None


@pytest.mark.parametrize("place", ["itself", "cause", "context", "group", "note"])
def test_a_secret_anywhere_behind_an_error_hides_all_of_it(place: str) -> None:
    secret = OSError("https://h/c/b?sv=1&sig=s3cret")
    cause: Exception = ValueError("it failed")
    match place:
        case "itself":
            cause = secret
        case "cause":
            cause.__cause__ = secret
        case "context":
            cause.__context__ = secret
        case "group":
            cause.__cause__ = ExceptionGroup("several", [ValueError("other"), secret])
        case _:
            cause.add_note(str(secret))
    shown = shown_cause(cause)
    assert isinstance(shown, HiddenCauseError)
    assert "s3cret" not in "".join(traceback.format_exception(shown))
