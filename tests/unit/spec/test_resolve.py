from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator import SpecError
from orchestrator.spec import SecretReference, SecretText, resolve

VALUE = "s3cret-value"


def test_a_plain_value_is_wrapped(tmp_path: Path) -> None:
    found = resolve(VALUE, {}, tmp_path)
    assert found.reveal() == VALUE
    assert VALUE not in f"{found} {found!r}"


def test_a_variable_is_looked_up_in_the_environment_it_is_given(tmp_path: Path) -> None:
    assert resolve(SecretReference("env:TOKEN"), {"TOKEN": VALUE}, tmp_path) == SecretText(VALUE)


def test_a_file_is_read_beside_the_job_file_and_stripped(tmp_path: Path) -> None:
    (tmp_path / "token").write_text(f"  {VALUE}\n")
    assert resolve(SecretReference("file:token"), {}, tmp_path) == SecretText(VALUE)
    assert resolve(SecretReference(f"file:{tmp_path / 'token'}"), {}, "elsewhere") == SecretText(VALUE)


@pytest.mark.parametrize(
    ("reference", "environ", "message"),
    [
        ("env:TOKEN", {}, "the environment variable TOKEN is not set"),
        ("env:TOKEN", {"TOKEN": ""}, "the environment variable TOKEN is empty"),
        ("env:TOKEN", {"TOKEN": f"{VALUE}\udcff"}, "the environment variable TOKEN is not UTF-8"),
        ("file:gone", {}, "gone can't be read: No such file or directory"),
        ("file:empty", {}, "empty is empty"),
        ("file:bytes", {}, "bytes is not UTF-8"),
        ("file:", {}, "env:NAME or file:PATH"),
        ("env:A B", {}, "env:NAME or file:PATH"),
        (VALUE, {}, "env:NAME or file:PATH"),
    ],
)
def test_what_can_not_be_found_is_named_and_no_value_is_told(
    tmp_path: Path, reference: str, environ: dict[str, str], message: str
) -> None:
    (tmp_path / "empty").write_text(" \n")
    (tmp_path / "bytes").write_bytes(VALUE.encode() + b"\xff")
    with pytest.raises(SpecError, match=message) as caught:
        resolve(SecretReference(reference), environ, tmp_path, where="environment.T")
    assert caught.value.where == "environment.T"
    assert VALUE not in str(caught.value)
    assert caught.value.__suppress_context__ or not isinstance(caught.value.__context__, UnicodeError)


def test_a_plain_value_that_can_not_be_sent_is_refused_without_telling_it(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"environment.T: the value is not UTF-8") as caught:
        resolve(f"{VALUE}\ud800", {}, tmp_path, where="environment.T")
    assert VALUE not in str(caught.value)
