"""File patterns of output files: what matches, and which blob it becomes."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.local.node_agent import patterns

NAMES = st.text(alphabet="ab.*?[]! -é", min_size=1, max_size=6).filter(lambda name: name not in {".", ".."})


@pytest.fixture
def wd(tmp_path: Path) -> Path:
    """A task folder as it looks when a command has ended."""
    task = tmp_path / "task"
    for name in (
        "stdout.txt",
        "stderr.txt",
        "fileuploadout.txt",
        "wd/a.txt",
        "wd/b.bin",
        "wd/.hidden.txt",
        "wd/out/one.txt",
        "wd/out/deep/two.txt",
        "wd/out/deep/.git/three.txt",
        "wd/star*.txt",
    ):
        path = task / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    return task / "wd"


def blobs(wd: Path, pattern: str, path: str | None = None, **environment: str) -> list[str]:
    found = patterns.find(pattern, path, working_directory=wd, environment=environment)
    assert all(match.path.is_file() for match in found)
    return [match.blob_name for match in found]


@pytest.mark.parametrize(
    ("pattern", "path", "expected"),
    [
        ("out/one.txt", "x/y.bin", ["x/y.bin"]),
        ("out/one.txt", None, ["one.txt"]),
        ("out/**/*.txt", "pre", ["pre/deep/two.txt", "pre/one.txt"]),
        ("out/**/*.txt", None, ["deep/two.txt", "one.txt"]),
        ("**/*.txt", "p/", ["p/a.txt", "p/out/deep/two.txt", "p/out/one.txt", "p/star*.txt"]),
        ("out/**", None, ["deep/two.txt", "one.txt"]),
        ("*.txt", None, ["a.txt", "star*.txt"]),
        (".*", None, [".hidden.txt"]),
        ("?.*", None, ["a.txt", "b.bin"]),
        ("[ab].txt", None, ["a.txt"]),
        ("[!a].*", None, ["b.bin"]),
        ("[a-b].*", None, ["a.txt", "b.bin"]),
        ("star[*].txt", None, ["star*.txt"]),
        ("../std*.txt", None, ["stderr.txt", "stdout.txt"]),
        ("../stdout.txt", "logs/out.txt", ["logs/out.txt"]),
        ("$AZ_BATCH_TASK_DIR/*.txt", None, ["fileuploadout.txt", "stderr.txt", "stdout.txt"]),
        ("out/d*/*.txt", "p", ["p/deep/two.txt"]),
        ("nothing*", None, []),
        ("nothing", None, []),
        ("out", None, []),
        ("*/../*.txt", None, []),
        ("./out//*.txt", None, ["one.txt"]),
    ],
)
def test_a_pattern_finds_its_files_and_names_their_blobs(
    wd: Path, pattern: str, path: str | None, expected: list[str]
) -> None:
    assert blobs(wd, pattern, path, AZ_BATCH_TASK_DIR=str(wd.parent)) == expected


def test_variables_are_expanded_first(wd: Path) -> None:
    assert blobs(wd, "${WHERE}/$WHAT", WHERE="out", WHAT="*.txt") == ["one.txt"]
    assert patterns.expand("$UNKNOWN/a $ b", {}) == "$UNKNOWN/a $ b"


def test_a_path_in_a_batch_variable_is_never_a_wildcard(tmp_path: Path) -> None:
    odd = tmp_path / "odd[1]*"
    (odd / "wd").mkdir(parents=True)
    (odd / "log.txt").write_text("")
    assert blobs(odd / "wd", "$AZ_BATCH_TASK_DIR/*.txt", AZ_BATCH_TASK_DIR=str(odd)) == ["log.txt"]
    assert blobs(odd / "wd", "$AZ_BATCH_TASK_DIR/log.txt", AZ_BATCH_TASK_DIR=str(odd)) == ["log.txt"]


def test_a_loop_of_links_ends(wd: Path) -> None:
    (wd / "out" / "loop").symlink_to(wd)
    assert blobs(wd, "out/**/*.txt") == ["deep/two.txt", "one.txt"]


@given(name=NAMES)
def test_an_escaped_name_matches_itself_and_is_no_wildcard(name: str) -> None:
    escaped = patterns.expand("$AZ_BATCH_X", {"AZ_BATCH_X": name})
    assert not patterns.is_wildcard(escaped)
    assert patterns.unescape(escaped) == name
    assert patterns.segment_matcher(escaped)(name)


@given(name=NAMES)
def test_a_star_matches_every_name_without_a_leading_dot(name: str) -> None:
    assert patterns.segment_matcher("*")(name) is not name.startswith(".")


@given(name=NAMES, index=st.integers(0, 5))
def test_a_question_mark_stands_for_exactly_one_character(name: str, index: int) -> None:
    at = index % len(name)
    escaped = [
        "?" if place == at else f"[{char}]" if char in "*?[" else char for place, char in enumerate(name)
    ]
    accepts = patterns.segment_matcher("".join(escaped))
    assert accepts(name) is not (name.startswith(".") and at == 0)
    assert not accepts(name + "x")
