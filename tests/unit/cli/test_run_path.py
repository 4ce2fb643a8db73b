from __future__ import annotations

import pytest
from yarl import URL

from orchestrator.cli.daemon_client import run_path
from orchestrator.errors import DaemonError


@pytest.mark.parametrize("run", ["a/../b", "a?b", "a#b", "a b", "a%2Fb", "../x", "ä"])
def test_what_somebody_typed_stays_one_part_of_the_path(run: str) -> None:
    url = URL("http://localhost" + run_path(run, "cancel"))
    assert url.raw_path.count("/") == 4
    assert url.raw_path.startswith("/v1/runs/")
    assert url.raw_path.endswith("/cancel")
    assert not url.query_string
    assert not url.fragment


@pytest.mark.parametrize("run", ["", ".", ".."])
def test_what_would_name_something_else_is_no_run(run: str) -> None:
    with pytest.raises(DaemonError, match="there is no run"):
        run_path(run)


def test_a_task_of_any_name_stays_one_part_too() -> None:
    assert run_path("r", "tasks", "a/b", "stdout") == "/v1/runs/r/tasks/a%2Fb/stdout"
