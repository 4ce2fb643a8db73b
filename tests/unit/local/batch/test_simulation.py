from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.local.batch.simulation import Pretence, is_simulated, read_command


@pytest.mark.parametrize(
    ("command", "pretence"),
    [
        ("simulate", Pretence()),
        ("simulate --seconds 0.5 --exit-code 3", Pretence(0.5, 3)),
        ("simulate --exit-code -9", Pretence(0, -9)),
    ],
)
def test_a_command_says_how_long_and_how_it_ends(command: str, pretence: Pretence) -> None:
    assert read_command(command) == pretence


@pytest.mark.parametrize(
    "command",
    [
        "",
        "true",
        "simulate 'x",
        "simulate --seconds",
        "simulate --seconds x",
        "simulate --seconds nan",
        "simulate --seconds inf",
        "simulate --seconds -1",
        "simulate --exit-code 256",
        "simulate --exit-code 1.5",
        "simulate --other 1",
    ],
)
def test_what_it_can_not_do_it_does_not_try(command: str) -> None:
    assert isinstance(read_command(command), str)


@given(st.text())
def test_no_command_line_breaks_it(command: str) -> None:
    assert isinstance(read_command(command), Pretence | str)


def test_a_pool_is_simulated_only_if_its_metadata_says_so_exactly() -> None:
    flag = {"name": "orchestrator:simulated", "value": "true"}
    assert is_simulated({"metadata": [{"name": "a", "value": "b"}, flag]})
    assert not is_simulated({})
    assert not is_simulated({"metadata": [{**flag, "value": "false"}]})
    assert not is_simulated({"metadata": [{**flag, "name": "simulated"}]})
