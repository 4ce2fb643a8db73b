from __future__ import annotations

import pytest

from tests.compat.az import Az

pytestmark = [pytest.mark.compat, pytest.mark.timeout(300)]


def test_a_job_is_created_and_shown_as_it_was_asked_for(az: Az, pool: str) -> None:
    create = ("job", "create", "--id", "asked", "--pool-id", pool, "--priority", "10")  # sent as a string
    assert az(*create, "--metadata", "color=blue", "--job-max-task-retry-count", "2") is None
    shown = az("job", "show", "--job-id", "asked")
    assert (shown["id"], shown["state"], shown["priority"]) == ("asked", "active", 10)
    assert (shown["poolInfo"], shown["executionInfo"]["poolId"]) == ({"poolId": pool}, pool)
    assert shown["metadata"] == [{"name": "color", "value": "blue"}]
    assert shown["constraints"]["maxTaskRetryCount"] == 2
    assert [one["priority"] for one in az("job", "list") if one["id"] == "asked"] == [10]


def test_setting_a_job_changes_what_is_named_and_nothing_else(az: Az, pool: str) -> None:
    az("job", "create", "--id", "set", "--pool-id", pool, "--priority", 10, "--metadata", "color=blue")
    before = az("job", "show", "--job-id", "set")
    assert az("job", "set", "--job-id", "set", "--priority", "20") is None
    after = az("job", "show", "--job-id", "set")
    changed = {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
    assert after["priority"] == 20
    assert changed == {"priority", "eTag", "lastModified"}


def test_a_job_is_disabled_and_enabled_again(az: Az, pool: str) -> None:
    az("job", "create", "--id", "paused", "--pool-id", pool)
    assert az("job", "disable", "--job-id", "paused", "--disable-tasks", "requeue") is None
    az.until(lambda job: job["state"] == "disabled", "job", "show", "--job-id", "paused")
    assert az("job", "enable", "--job-id", "paused") is None
    shown = az.until(lambda job: job["state"] == "active", "job", "show", "--job-id", "paused")
    assert shown["previousState"] in {"disabled", "enabling"}


def test_a_job_is_stopped_for_the_reason_given(az: Az, pool: str) -> None:
    az("job", "create", "--id", "stopped", "--pool-id", pool)
    assert az("job", "stop", "--job-id", "stopped", "--terminate-reason", "enough") is None
    shown = az.until(lambda job: job["state"] == "completed", "job", "show", "--job-id", "stopped")
    assert shown["executionInfo"]["terminateReason"] == "enough"


def test_a_job_is_deleted_and_no_longer_there(az: Az, pool: str) -> None:
    az("job", "create", "--id", "deleted", "--pool-id", pool)
    assert az("job", "delete", "--job-id", "deleted", "--yes") is None
    az.until_refused("JobNotFound", "job", "show", "--job-id", "deleted")
    assert "deleted" not in [one["id"] for one in az("job", "list")]
