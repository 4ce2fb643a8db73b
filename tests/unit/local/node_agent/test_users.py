"""Which user a command gets; what becomes of that is in tests/conformance/local_node/test_isolation.py."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.local.node_agent.failures import NodeFailure
from orchestrator.local.node_agent.users import ADMINISTRATOR, AGENT, POOL, TASK, Users

FIRST = 2_000_000_000


def test_an_administrator_is_the_agents_own_user(tmp_path: Path) -> None:
    assert Users(FIRST, 8).find(ADMINISTRATOR, tmp_path) == AGENT


def test_the_pools_user_is_always_the_first(tmp_path: Path) -> None:
    users = Users(FIRST, 8)
    users.find("account:ann", tmp_path)
    found = users.find(POOL, tmp_path)
    assert (found.uid, found.gid, found.alone) == (FIRST, FIRST, False)


def test_an_account_has_one_user_and_each_task_another(tmp_path: Path) -> None:
    users = Users(FIRST, 8)
    names = ("account:ann", "account:bob", "account:ann", POOL, TASK, TASK)
    found = [users.find(name, tmp_path / str(number)).uid for number, name in enumerate(names)]
    assert found[0] == found[2]
    assert len(set(found)) == 5


def test_a_user_comes_again_only_when_its_folder_is_gone(tmp_path: Path) -> None:
    users = Users(FIRST, 3)
    folders = [tmp_path / name for name in ("a", "b", "c")]
    first = users.find(TASK, folders[0])
    folders[0].mkdir()
    second = users.find(TASK, folders[1])
    folders[1].mkdir()
    assert {first.uid, second.uid} == {FIRST + 1, FIRST + 2}
    with pytest.raises(NodeFailure) as full:
        users.find(TASK, folders[2])
    assert full.value.failure["code"] == "CommandLaunchFailed"
    folders[0].rmdir()
    assert users.find(TASK, folders[2]) == first
