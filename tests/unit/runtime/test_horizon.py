"""A run that may outlive its addresses is refused before anything is created."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from orchestrator.errors import ConfigError, SpecError
from orchestrator.limits import Limits
from orchestrator.runtime.horizon import address_lifetime, refuse_beyond
from orchestrator.spec.load import parse_job
from orchestrator.spec.plan import RunPlan, plan_run

_WEEK = timedelta(days=7, minutes=-5)


def plan(folder: Path, **changes: Any) -> RunPlan:
    (folder / "program.py").write_text("")
    wanted: dict[str, Any] = {
        "id": "job",
        "download_dir": "results",
        "pool": {"id": "pool"},
        "tasks": [{"id": "t", "command_line": "true"}],
    }
    return plan_run(parse_job({**wanted, **changes}, base_dir=folder, where="job"), "20260101t000000-abcdef")


def test_the_addresses_last_from_staging_to_clean_up(tmp_path: Path) -> None:
    limits = Limits(staging_time=100, sas_margin=10)
    assert address_lifetime(plan(tmp_path, timeout="20m").spec, limits) == 1200 + 3600 + 110
    assert address_lifetime(plan(tmp_path, max_wall_clock_time="2h").spec, limits) == 7200 + 110


def test_a_run_beyond_the_week_is_refused_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(SpecError) as refused:
        refuse_beyond(_WEEK, plan(tmp_path, max_wall_clock_time="7d"), Limits())
    assert refused.value.where == "max_wall_clock_time"
    for part in ("7.29 days", "7.00 days at most", "6.70 days or less", "AZURE_STORAGE_CONNECTION_STRING"):
        assert part in str(refused.value)


def test_a_long_time_to_watch_is_named_where_it_is_what_was_asked_for(tmp_path: Path) -> None:
    with pytest.raises(SpecError) as refused:
        refuse_beyond(_WEEK, plan(tmp_path, timeout="8d"), Limits())
    assert refused.value.where == "timeout"


def test_what_the_remedy_says_is_taken(tmp_path: Path) -> None:
    refuse_beyond(_WEEK, plan(tmp_path, max_wall_clock_time="160h"), Limits())


def test_addresses_that_can_be_kept_open_may_be_needed_for_any_time(tmp_path: Path) -> None:
    refuse_beyond(None, plan(tmp_path, max_wall_clock_time="180d"), Limits(pool_sas_lifetime=1e7))


def test_a_pools_addresses_beyond_the_week_are_refused_where_there_are_any(tmp_path: Path) -> None:
    limits = Limits(pool_sas_lifetime=8 * 86400)
    refuse_beyond(_WEEK, plan(tmp_path), limits)
    with pytest.raises(ConfigError, match=r"limits.pool_sas_lifetime: is 8.00 days.* 7.00 days at most"):
        refuse_beyond(_WEEK, plan(tmp_path, application={"files": ["program.py"]}), limits)
