"""The URLs of blobs, and that the SAS stays out of sight."""

from __future__ import annotations

from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node_task.destination import Destination
from node_task.errors import UsageError

SAS = "sv=2021-12-02&sr=c&sp=cw&sig=c2VjcmV0%2Bsecret%3D"
URL = f"https://account.blob.core.windows.net/outputs?{SAS}"
PATHS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1)


def test_a_blob_is_named_by_container_prefix_and_path() -> None:
    destination = Destination.parse(URL, "task-1")
    assert destination.shown("a.txt") == "https://account.blob.core.windows.net/outputs/task-1/a.txt"
    assert destination.signed("a.txt", {}) == (
        f"https://account.blob.core.windows.net/outputs/task-1/a.txt?{SAS}"
    )


def test_the_parameters_of_an_operation_come_before_the_sas() -> None:
    url = Destination.parse(URL, "t").signed("a", {"comp": "block", "blockid": "MDA+/w=="})
    assert url.endswith(f"/t/a?comp=block&blockid=MDA%2B%2Fw%3D%3D&{SAS}")


@given(PATHS)
def test_every_name_goes_through_the_url_and_back(path: str) -> None:
    url = Destination.parse(URL, "täsk").signed(path, {"comp": "block"})
    assert url.isascii()
    assert url.isprintable()
    parts = urlsplit(url)
    assert unquote(parts.path, errors="strict") == f"/outputs/täsk/{path}"
    assert parse_qs(parts.query)["comp"] == ["block"]
    assert not parts.fragment


@given(PATHS)
def test_what_is_shown_has_no_query(path: str) -> None:
    assert "?" not in Destination.parse(URL, "t").shown(path)


def test_the_sas_is_not_in_the_destinations_own_description() -> None:
    assert "secret" not in repr(Destination.parse(URL, "t"))


def test_slashes_at_the_ends_do_not_count() -> None:
    destination = Destination.parse(f"http://127.0.0.1:10000/account/outputs/?{SAS}", "/folder/task/")
    assert destination.shown("a") == "http://127.0.0.1:10000/account/outputs/folder/task/a"


def test_a_container_without_a_sas_has_plain_urls() -> None:
    destination = Destination.parse("http://127.0.0.1:10000/account/outputs", "t")
    assert destination.signed("a", {}) == "http://127.0.0.1:10000/account/outputs/t/a"
    assert (
        destination.signed("a", {"comp": "block"}) == "http://127.0.0.1:10000/account/outputs/t/a?comp=block"
    )


@pytest.mark.parametrize(
    "url",
    [
        "nonsense?secret",
        "ftp://host/outputs?secret",
        "file:///etc/passwd?secret",
        "https:///outputs?secret",
        "https://host?secret",
        "https://host/?secret",
        "https://host:port/outputs?secret",
        "https://host:0/outputs?secret",
        "https://host:99999/outputs?secret",
        "https://[::1/outputs?secret",
        f"https://{'a' * 64}.net/outputs?secret",
        "https://user:secret@host/outputs",
        "https://host/outputs?secret#fragment",
        "https://host/out puts?secret",
        "https://host/outputs?sec\nret",
        "https://hôst/outputs?secret",
    ],
)
def test_what_is_no_url_of_a_container_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(UsageError, match=r"^ORCHESTRATOR_OUTPUT_URL is not the URL of a container") as caught:
        Destination.parse(url, "t")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("prefix", ["", "/", "//", "bad\udcff"])
def test_what_is_no_folder_is_refused(prefix: str) -> None:
    with pytest.raises(UsageError, match=r"is no folder for outputs: set ORCHESTRATOR_OUTPUT_PREFIX"):
        Destination.parse(URL, prefix)
