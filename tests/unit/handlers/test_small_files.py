"""Small files put in their places together: each by itself, over nothing that is not ours."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.handlers.result_files import ResultFiles, TaskFolder
from orchestrator.handlers.result_paths import temporary_name
from orchestrator.handlers.small_files import SmallFile, put_small_files

pytestmark = pytest.mark.timeout(30)


@pytest.fixture
def home(tmp_path: Path) -> Iterator[TaskFolder]:
    files = ResultFiles(tmp_path, "j")
    folder = files.task("t")
    yield folder
    folder.close()
    files.close()


def small(path: str, content: bytes, **told: object) -> SmallFile:
    return SmallFile(path, content, told.get("size"), told.get("md5s", ()))  # type: ignore[arg-type]


def left(home: TaskFolder) -> dict[str, bytes]:
    return {
        file.relative_to(home.path).as_posix(): file.read_bytes()
        for file in home.path.rglob("*")
        if file.is_file()
    }


def test_each_goes_to_its_folder(home: TaskFolder) -> None:
    files = [small("a", b"1"), small("d/b", b"22"), small("d/e/c", b""), small("d/f", b"3")]
    assert put_small_files(home, files) == dict.fromkeys(["a", "d/b", "d/e/c", "d/f"])
    assert left(home) == {"a": b"1", "d/b": b"22", "d/e/c": b"", "d/f": b"3"}


def test_all_are_in_the_list_of_what_is_ours_so_that_the_next_run_may_replace_them(home: TaskFolder) -> None:
    put_small_files(home, [small("a", b"1"), small("d/b", b"2")])
    assert [home.written_before(path) is not None for path in ("a", "d/b")] == [True, True]
    assert put_small_files(home, [small("a", b"new"), small("d/b", b"newer")]) == {"a": None, "d/b": None}
    assert left(home) == {"a": b"new", "d/b": b"newer"}


def test_a_file_of_somebody_else_stays_and_the_others_arrive(home: TaskFolder) -> None:
    home.path.mkdir(parents=True)
    (home.path / "b").write_bytes(b"precious")
    found = put_small_files(home, [small("a", b"1"), small("b", b"2"), small("c", b"3")])
    assert (found["a"], found["c"]) == (None, None)
    assert "no run of this job wrote" in str(found["b"])
    assert found["b"] is not None
    assert found["b"].path == "b"
    assert left(home) == {"a": b"1", "b": b"precious", "c": b"3"}


def test_a_place_that_the_disk_does_not_let_us_look_at_is_no_business_of_the_others(home: TaskFolder) -> None:
    too_long = "x" * 300
    found = put_small_files(home, [small("a", b"1"), small(too_long, b"2"), small("c", b"3")])
    assert (found["a"], found["c"]) == (None, None)
    assert "too long" in str(found[too_long])
    assert left(home) == {"a": b"1", "c": b"3"}


def test_what_a_killed_run_left_at_the_temporary_name_is_replaced(home: TaskFolder) -> None:
    home.path.mkdir(parents=True)
    (home.path / temporary_name("a")).write_bytes(b"half")
    assert put_small_files(home, [small("a", b"whole")]) == {"a": None}
    assert left(home) == {"a": b"whole"}


def test_a_folder_that_is_a_link_is_not_entered(home: TaskFolder, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    home.path.mkdir(parents=True)
    (home.path / "d").symlink_to(elsewhere)
    found = put_small_files(home, [small("d/a", b"1"), small("d/b", b"2"), small("c", b"3")])
    assert found["c"] is None
    assert all("link" in str(found[path]) for path in ("d/a", "d/b"))
    assert list(elsewhere.iterdir()) == []


@given(st.binary(max_size=5000), st.binary(max_size=20))
def test_only_what_is_as_told_gets_its_name(content: bytes, other: bytes) -> None:
    md5, another = (hashlib.md5(each).digest() for each in (content, other))
    kept = small("a", content, size=len(content), md5s=(md5, another))
    nowhere = ResultFiles(Path("/nonexistent"), "j").task("t")
    if content != other:  # refused before the disk is asked
        assert "MD5" in str(put_small_files(nowhere, [kept])["a"])
    wrong = small("a", content, size=len(content) + 1, md5s=(md5,))
    assert "were to come" in str(put_small_files(nowhere, [wrong])["a"])
