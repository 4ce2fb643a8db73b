"""A state directory: one service at a time, keys of its own, for its owner only."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from orchestrator.local.state import StateDirectory, StateDirectoryInUseError


def test_keys_are_random_private_and_stay(tmp_path: Path) -> None:
    first = StateDirectory.open(tmp_path / "one")
    keys = first.keys
    first.close()
    again = StateDirectory.open(tmp_path / "one")
    other = StateDirectory.open(tmp_path / "two")
    try:
        assert again.keys == keys
        assert len({keys.batch, keys.storage, other.keys.batch, other.keys.storage}) == 4
        assert keys.batch not in repr(keys)
        assert again.keys.control == keys.control
        assert keys.control not in (other.keys.control, keys.batch, keys.storage)
        assert (tmp_path / "one").stat().st_mode & 0o777 == 0o700
        assert (tmp_path / "one" / "keys.json").stat().st_mode & 0o777 == 0o600
    finally:
        again.close()
        other.close()


def test_a_second_service_is_told_who_holds_it(tmp_path: Path) -> None:
    held = StateDirectory.open(tmp_path)
    try:
        with pytest.raises(StateDirectoryInUseError, match=f"process {os.getpid()} uses"):
            StateDirectory.open(tmp_path)
    finally:
        held.close()
    StateDirectory.open(tmp_path).close()


def test_what_a_dead_service_left_running_is_waited_for_with_a_limit(tmp_path: Path) -> None:
    held = StateDirectory.open(tmp_path)
    inherited = os.dup(held.lock_descriptor)  # as the blob server has it
    held.close()
    (tmp_path / "lock").write_text("999999999\n")  # no such process
    try:
        with pytest.raises(StateDirectoryInUseError):
            StateDirectory.open(tmp_path, limit=0.1)
    finally:
        os.close(inherited)
    StateDirectory.open(tmp_path).close()
