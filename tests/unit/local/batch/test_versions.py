from __future__ import annotations

from typing import Any

import pytest

from orchestrator.local.batch.versions import VERSIONS, Casing, dialects, reimages_machines, task_counts
from orchestrator.local.wire.api_error import ApiError

LIVE = dialects(Casing.LIVE)
SDK = dialects(Casing.SDK)
OLD, NEW = "2020-03-01.11.0", "2025-06-01"


def test_versions_are_in_order_of_time_and_each_has_a_dialect() -> None:
    assert list(VERSIONS) == sorted(VERSIONS)
    assert set(LIVE) == set(SDK) == set(VERSIONS)
    assert all(dialect.version == version for version, dialect in LIVE.items())


def test_slots_per_node_had_another_name_until_2020() -> None:
    assert LIVE[OLD].read("create_pool", {"maxTasksPerNode": 4}) == {"taskSlotsPerNode": 4}
    assert LIVE[OLD].show("pools", {"taskSlotsPerNode": 4}) == {"maxTasksPerNode": 4}
    assert LIVE["2020-09-01.12.0"].show("pools", {"taskSlotsPerNode": 4}) == {"taskSlotsPerNode": 4}
    with pytest.raises(ApiError, match="UnsupportedProperty"):
        LIVE[OLD].read("create_pool", {"taskSlotsPerNode": 4})


def test_an_auto_pool_is_read_like_a_pool() -> None:
    def body(name: str) -> dict[str, Any]:
        return {"poolInfo": {"autoPoolSpecification": {"pool": {name: 4}}}}

    assert LIVE[OLD].read("create_job", body("maxTasksPerNode")) == body("taskSlotsPerNode")


@pytest.mark.parametrize(
    ("version", "ports", "certificates"),
    [
        ("2023-05-01.17.0", True, True),
        ("2024-02-01.19.0", True, True),
        ("2024-07-01.20.0", False, True),
        (NEW, False, False),
    ],
)
def test_nodes_show_ports_until_2024_and_certificates_until_2025(
    version: str, ports: bool, certificates: bool
) -> None:
    seen = LIVE[version].show("nodes", {"endpointConfiguration": {}, "certificateReferences": []})
    assert ("endpointConfiguration" in seen, "certificateReferences" in seen) == (ports, certificates)


def test_the_communication_mode_came_and_went() -> None:
    wire = {"targetNodeCommunicationMode": "classic"}
    shown = [version for version in VERSIONS if LIVE[version].show("pools", wire)]
    assert (shown[0], shown[-1]) == ("2022-10-01.16.0", "2024-07-01.20.0")


def test_the_order_of_jobs_is_new_in_2025() -> None:
    wire = {"taskSchedulingPolicy": {"nodeFillType": "Spread", "jobDefaultOrder": "none"}}
    assert LIVE[NEW].show("pools", wire) == wire
    assert LIVE["2024-07-01.20.0"].show("pools", wire) == {"taskSchedulingPolicy": {"nodeFillType": "Spread"}}


def test_tasks_of_2018_are_kept_for_ever_and_capitalise_results() -> None:
    speaks = LIVE["2018-03-01.6.1"]
    read = speaks.read(
        "create_task_collection", {"value": [{"id": "t", "resourceFiles": [{"blobSource": "u"}]}]}
    )
    assert read["value"][0]["constraints"] == {"retentionTime": "P10675199DT2H48M5.4775807S"}
    assert read["value"][0]["resourceFiles"] == [{"httpUrl": "u"}]
    task = {
        "userIdentity": {"autoUser": {"scope": "pool", "elevationLevel": "nonadmin"}},
        "requiredSlots": 1,
        "executionInfo": {"result": "failure"},
    }
    assert speaks.show("tasks", task) == {
        "userIdentity": {"autoUser": {"elevationLevel": "nonadmin"}},
        "executionInfo": {"result": "Failure"},
    }


def test_start_tasks_were_not_waited_for_until_2019() -> None:
    body = {"startTask": {"commandLine": "true"}}
    read = LIVE["2019-06-01.9.0"].read("create_pool", body)
    assert read == {"startTask": {"commandLine": "true", "waitForSuccess": False}}
    assert LIVE["2019-08-01.10.0"].read("create_pool", body) == body


@pytest.mark.parametrize(
    ("member", "first"),
    [("maxParallelTasks", "2021-06-01.14.0"), ("allowTaskPreemption", "2022-01-01.15.0")],
)
def test_members_of_jobs_came_one_after_the_other(member: str, first: str) -> None:
    shown = [version for version in VERSIONS if LIVE[version].show("jobs", {member: 1})]
    assert shown == [version for version in VERSIONS if version >= first]


def test_task_counts_were_flat() -> None:
    counts = {"active": 1}
    assert task_counts(NEW, counts, counts)[1] == {"taskCounts": counts, "taskSlotCounts": counts}
    assert task_counts(OLD, counts, counts) == ("taskcounts/@Element", counts)
    assert task_counts("2018-03-01.6.1", counts, counts)[1] == {**counts, "validationStatus": "Validated"}


def test_reimaging_was_for_cloud_services_only() -> None:
    assert not reimages_machines("2023-05-01.17.0")
    assert reimages_machines(NEW)


def test_the_sdk_reads_lower_case() -> None:
    task = {
        "outputFiles": [{"uploadOptions": {"uploadCondition": "TaskSuccess"}}],
        "executionInfo": {"failureInfo": {"category": "UserError"}},
    }
    assert LIVE[NEW].show("tasks", task) is task
    assert SDK[NEW].show("tasks", task) == {
        "outputFiles": [{"uploadOptions": {"uploadCondition": "tasksuccess"}}],
        "executionInfo": {"failureInfo": {"category": "usererror"}},
    }
    assert SDK[NEW].show("taskaddresult", {"status": "ClientError"}) == {"status": "clienterror"}
    policy = {"taskSchedulingPolicy": {"nodeFillType": "Pack"}}
    assert SDK[NEW].show("pools", policy) == {"taskSchedulingPolicy": {"nodeFillType": "pack"}}
