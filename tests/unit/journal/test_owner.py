"""A state directory has one name for good, and no other has it."""

from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from orchestrator.errors import JournalError
from orchestrator.journal.owner import owner_of


def test_a_folder_keeps_its_name_and_others_have_others(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    name = owner_of(tmp_path)
    assert owner_of(tmp_path) == name
    assert owner_of(tmp_path / "other") != name
    assert name.isascii()
    assert " " not in name
    assert stat.S_IMODE((tmp_path / "owner").stat().st_mode) == 0o600


def test_many_at_once_agree(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as threads:
        assert len(set(threads.map(lambda _: owner_of(tmp_path), range(32)))) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["owner"]


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match="none"):
        owner_of(tmp_path / "none")
