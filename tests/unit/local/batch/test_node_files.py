from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.local.batch.node_files import delete, describe, list_folder, locate, parse_range
from orchestrator.local.wire.api_error import ApiError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "node"
    (root / "wd" / "deep").mkdir(parents=True)
    (root / "stdout.txt").write_text("hello")
    (root / "wd" / "deep" / "data").write_bytes(b"\0\1")
    (tmp_path / "secret").write_text("s")
    (root / "wd" / "escape").symlink_to(tmp_path / "secret")
    (root / "wd" / "inside").symlink_to(root / "stdout.txt")
    (root / "wd" / "loop").symlink_to(root / "wd")
    return root


def test_a_list_has_the_first_level_only_unless_it_is_recursive(folder: Path) -> None:
    assert [facts.name for facts in list_folder(folder, recursive=False)] == ["stdout.txt", "wd"]
    names = [facts.name for facts in list_folder(folder, recursive=True)]
    assert names == ["stdout.txt", "wd", "wd/deep", "wd/deep/data", "wd/inside", "wd/loop"]


def test_a_folder_that_is_gone_lists_nothing(folder: Path) -> None:
    assert list_folder(folder / "gone", recursive=True) == []


def test_a_file_tells_what_it_is(folder: Path) -> None:
    facts = describe(folder, "stdout.txt")
    assert (facts.size, facts.content_type, facts.is_directory) == (5, "text/plain", False)
    assert describe(folder, "wd/deep/data").content_type == "application/octet-stream"
    assert describe(folder, "wd").is_directory


@pytest.mark.parametrize("name", ["../secret", "wd/../../secret", "wd/escape", "nope", "/etc/passwd", "a\0b"])
def test_nothing_outside_the_folder_is_found(folder: Path, name: str) -> None:
    with pytest.raises(ApiError, match="FileNotFound"):
        locate(folder, name)


def test_a_folder_that_is_not_empty_needs_recursive(folder: Path) -> None:
    with pytest.raises(ApiError) as refusal:
        delete(folder, "wd", recursive=False)
    assert refusal.value.status == 400
    delete(folder, "wd", recursive=True)
    delete(folder, "stdout.txt", recursive=False)
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("name", ["", ".", "..", "wd/..", "gone", "../secret"])
def test_neither_the_folder_itself_nor_anything_outside_is_deleted(folder: Path, name: str) -> None:
    with pytest.raises(ApiError, match="FileNotFound"):
        delete(folder, name, recursive=True)
    assert (folder.parent / "secret").exists()


@pytest.mark.parametrize("name", ["wd/escape", "wd/inside", "wd/loop"])
def test_deleting_a_link_leaves_what_it_leads_to(folder: Path, name: str) -> None:
    delete(folder, name, recursive=True)
    assert not (folder / name).is_symlink()
    assert (folder.parent / "secret").exists()
    assert (folder / "stdout.txt").exists()


@pytest.mark.parametrize(
    ("header", "span"),
    [("bytes=0-3", (0, 4)), ("bytes=2-", (2, 5)), ("bytes=4-99", (4, 5)), ("Bytes=0-0", (0, 1))],
)
def test_a_range_is_inclusive(header: str, span: tuple[int, int]) -> None:
    assert parse_range(header, 5) == span


@pytest.mark.parametrize("header", ["bytes=5-", "bytes=3-2", "bytes=-3", "bytes", "lines=0-1", "bytes=a-b"])
def test_a_range_that_is_not_there_is_refused(header: str) -> None:
    with pytest.raises(ApiError) as refusal:
        parse_range(header, 5)
    assert (refusal.value.status, refusal.value.code) == (416, "InvalidRange")
