"""Runs that wait for something else than those before them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.acceptance.daemon.daemons import Daemon, job, until
from tests.acceptance.program import Running


def view(daemon: Daemon, run_id: str) -> dict[str, Any]:
    status, found = daemon.ask("GET", f"/v1/runs/{run_id}")
    assert status == 200
    return dict(found)


def figures(daemon: Daemon) -> dict[str, float]:
    text = daemon.ask("GET", "/metrics")[1].decode()
    families = text_string_to_metric_families(text)
    return {sample.name: sample.value for family in families for sample in family.samples}


def test_a_job_that_is_under_way_already_is_waited_for_and_others_pass(daemon: Daemon) -> None:
    first = daemon.submit(job("sleep 4", id="same"))
    second = daemon.submit(job("true", id="Same"))
    third = daemon.submit(job("true"))
    assert view(daemon, second)["waits_for"] == f"job Same is under way, as run {first}"
    assert view(daemon, second)["place_in_line"] == 1
    assert daemon.ended(third)["outcome"] == "succeeded"
    assert view(daemon, first)["phase"] == "running"
    assert daemon.ended(first)["outcome"] == "succeeded"
    assert daemon.ended(second)["outcome"] == "succeeded"
    assert view(daemon, second)["waits_for"] is None


@pytest.fixture
def crowded(tmp_path: Path) -> Iterator[Daemon]:
    """A daemon on an account that takes one job at a time."""
    settings = tmp_path / "settings.env"
    state = tmp_path / "service"
    with Running(
        "local", "--state-dir", state, "--env-file", settings, "--job-quota", "1", home=tmp_path
    ) as service:
        assert service.line() == "ready"
        with Daemon(tmp_path, settings, limits={"backoff_limit": 2.0}) as running:
            yield running


def test_runs_wait_in_line_for_the_account_s_quota_of_jobs(crowded: Daemon) -> None:
    runs = [crowded.submit(job("sleep 2")) for _ in range(3)]

    def places() -> set[int | None]:
        views = [view(crowded, run_id) for run_id in runs]
        return {found["place_in_line"] for found in views if found["phase"] == "running"}

    until(lambda: places() == {None, 1, 2}, "one runs and two are in line")
    waiting = [view(crowded, run_id)["waits_for"] for run_id in runs]
    assert any("ActiveJobAndScheduleQuotaReached" in str(reason) for reason in waiting)
    assert figures(crowded)["orchestrator_quota_waiting"] == 2
    assert {crowded.ended(run_id)["outcome"] for run_id in runs} == {"succeeded"}
    assert figures(crowded)["orchestrator_quota_waiting"] == 0


def test_a_run_in_line_for_a_quota_can_be_cancelled_and_leaves_nothing(crowded: Daemon) -> None:
    first = crowded.submit(job("sleep 4"))
    until(lambda: crowded.ask("GET", f"/v1/runs/{first}/tasks")[1]["tasks"], "the first is under way")
    second = crowded.submit(job("true"))
    until(lambda: view(crowded, second)["waits_for"] is not None, "the second waits")
    crowded.ask("POST", f"/v1/runs/{second}/cancel")
    ended = crowded.ended(second)
    assert ended["outcome"] == "cancelled"
    assert ended["result"]["leftovers"] == []
    assert crowded.ended(first)["outcome"] == "succeeded"
