"""What the output is called and what it says."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node_task.environment import BatchIds
from node_task.errors import FileError
from node_task.output import LONGEST_NAME_BYTES, output_path, render, write

IDS = BatchIds(node="tvmps_1", task="topwords-00001", job="words", pool="small")
NAMES = (
    st.text(st.characters(codec="utf-8", exclude_characters="/\0"), min_size=1, max_size=260)
    .filter(lambda name: name not in (".", "..") and len(os.fsencode(name)) <= LONGEST_NAME_BYTES)
)  # fmt: skip


@pytest.mark.parametrize(
    ("path", "output"),
    [
        ("a.txt", "a_OUTPUT.txt"),
        ("./a.txt", "a_OUTPUT.txt"),
        ("a", "a_OUTPUT"),
        ("data/a.b.txt", "data/a.b_OUTPUT.txt"),
        ("/data.d/a", "/data.d/a_OUTPUT"),
        (".hidden", ".hidden_OUTPUT"),
        ("trailing.", "trailing_OUTPUT."),
        ("-x.txt", "-x_OUTPUT.txt"),
        (" ", " _OUTPUT"),
        ("a_OUTPUT.txt", "a_OUTPUT_OUTPUT.txt"),
        ("бук\udcff.txt", "бук\udcff_OUTPUT.txt"),
    ],
)
def test_the_output_is_named_after_the_input(path: str, output: str) -> None:
    assert output_path(Path(path)) == Path(output)


def test_an_input_with_the_longest_possible_name_has_an_output_too() -> None:
    assert output_path(Path("d", "ж" * 125 + "x.txt")).name == "ж" * 122 + "_OUTPUT.txt"
    assert output_path(Path("a." + "e" * 253)).name == "_OUTPUT." + "e" * 247


def test_a_shortened_name_is_not_that_of_the_input() -> None:
    longest = "a" * 244 + "_OUTPUT.txt"
    assert output_path(Path(longest)).name == "a" * 243 + "_OUTPUT.txt"


@given(NAMES)
def test_every_name_has_an_output_that_fits_and_is_another_file(name: str) -> None:
    output = output_path(Path(name)).name
    assert output != name
    assert "_OUTPUT" in output
    assert len(os.fsencode(output)) <= LONGEST_NAME_BYTES


def test_the_output_says_which_words_how_often_and_where() -> None:
    assert render([("the", 12), ("b:c", 3)], IDS) == (
        "Word\tCount\n"
        "------------------------------\n"
        "the:\t12\n"
        "b:c:\t3\n"
        "------------------------------\n"
        "Node: tvmps_1\n"
        "Task: topwords-00001\n"
        "Job: words\n"
        "Pool: small\n"
    )


def test_undecodable_words_are_written_as_the_bytes_they_were(tmp_path: Path) -> None:
    write(tmp_path / "output", "caf\udce9")
    assert (tmp_path / "output").read_bytes() == b"caf\xe9"


def test_the_output_of_an_earlier_attempt_is_written_over(tmp_path: Path) -> None:
    write(tmp_path / "output", "a longer text")
    write(tmp_path / "output", "new")
    assert (tmp_path / "output").read_text() == "new"


def test_an_output_that_cannot_be_written_is_named_with_the_reason(tmp_path: Path) -> None:
    with pytest.raises(FileError, match=r"^cannot write '.*missing/output': No such file or directory$"):
        write(tmp_path / "missing" / "output", "text")
