"""Paths from outside stay below their folder."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.local.node_agent.confinement import EscapeError, inside

ROOT = Path("/node/root")


@given(
    relative=st.lists(st.sampled_from(["..", ".", "", "a", "b.txt", "...", "\0", "é"]), max_size=6).map(
        "/".join
    )
)
def test_what_is_accepted_is_below_the_folder(relative: str) -> None:
    try:
        path = inside(ROOT, relative)
    except EscapeError:
        return
    assert path != ROOT
    assert path.is_relative_to(ROOT)
    assert ".." not in path.parts


@pytest.mark.parametrize("relative", ["/etc/passwd", "..", "a/../../b", "a/..", "", ".", "a\0b"])
def test_what_could_leave_is_refused(relative: str) -> None:
    with pytest.raises(EscapeError):
        inside(ROOT, relative)


def test_the_folder_itself_only_where_it_is_meant() -> None:
    assert inside(ROOT, "", allow_folder_itself=True) == ROOT
    with pytest.raises(EscapeError):
        inside(ROOT, "..", allow_folder_itself=True)
