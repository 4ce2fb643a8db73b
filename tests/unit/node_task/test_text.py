"""Text in pieces is the text in one piece."""

from __future__ import annotations

import errno
import os
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node_task.errors import ExitCode, FileError
from node_task.text import decoded, pieces_of

MARK = b"\xef\xbb\xbf"
# Whole characters, halves of them, byte order marks anywhere, encoded surrogates, bytes that are never UTF-8.
BYTES = st.lists(
    st.sampled_from(
        [
            MARK,
            b"\xef",
            b"\xef\xbb",
            "é".encode(),
            "😀".encode(),
            b"\xf0\x9f",
            b"\xed\xa0\x80",
            b"\xff",
            b"a ",
        ]
    )
    | st.binary(max_size=4)
).map(b"".join)


def at_once(data: bytes) -> str:
    return data[3 if data.startswith(MARK) else 0 :].decode("utf-8", "surrogateescape")


@given(BYTES, st.lists(st.integers(0, 40), max_size=8))
def test_any_bytes_cut_anywhere_decode_as_they_do_at_once(data: bytes, cuts: list[int]) -> None:
    bounds = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    pieces = [data[start:end] for start, end in pairwise(bounds)]
    assert "".join(decoded(pieces)) == at_once(data)


@given(BYTES)
def test_any_bytes_one_by_one_decode_as_they_do_at_once(data: bytes) -> None:
    assert "".join(decoded(bytes([byte]) for byte in data)) == at_once(data)


@given(BYTES)
def test_no_piece_of_text_is_empty(data: bytes) -> None:
    assert all(decoded(bytes([byte]) for byte in data))


def test_a_byte_order_mark_is_left_out_at_the_start_only() -> None:
    assert "".join(decoded([MARK + b"a" + MARK + b"b"])) == "a\ufeffb"


@given(BYTES)
def test_undecodable_bytes_come_back_as_they_were(data: bytes) -> None:
    body = data[3:] if data.startswith(MARK) else data
    assert "".join(decoded([data])).encode("utf-8", "surrogateescape") == body


def test_a_file_comes_in_pieces_of_the_size_that_is_asked_for(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"0123456789")
    assert list(pieces_of(file, 4)) == [b"0123", b"4567", b"89"]


def test_an_empty_file_has_no_pieces(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    assert list(pieces_of(file)) == []


@pytest.mark.parametrize(("name", "number"), [("missing", errno.ENOENT), (".", errno.EISDIR)])
def test_a_file_that_cannot_be_read_is_named_with_the_reason(tmp_path: Path, name: str, number: int) -> None:
    with pytest.raises(FileError) as caught:
        list(pieces_of(tmp_path / name))
    assert str(caught.value) == f"cannot read {str(tmp_path / name)!r}: {os.strerror(number)}"
    assert caught.value.exit_code == ExitCode.FAILED
