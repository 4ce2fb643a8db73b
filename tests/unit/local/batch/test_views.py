from __future__ import annotations

from orchestrator.local.batch.store.states import TaskState
from orchestrator.local.batch.store.views import (
    JOB_MEMBERS,
    POOL_MEMBERS,
    TASK_MEMBERS,
    job_wire,
    pool_wire,
    task_wire,
)
from tests.unit.local.batch.bodies import AT, URL, job, pool, task


def test_a_job_is_shown_with_the_recorded_defaults_in_the_recorded_order() -> None:
    assert list(job_wire(job(), URL).items()) == [
        ("id", "j"),
        ("url", f"{URL}/jobs/j"),
        ("eTag", f"0x{AT:X}"),
        ("lastModified", "2024-01-01T00:00:00.5Z"),
        ("creationTime", "2024-01-01T00:00:00.4999993Z"),
        ("state", "active"),
        ("stateTransitionTime", "2024-01-01T00:00:00.5Z"),
        ("priority", 0),
        ("maxParallelTasks", -1),
        ("usesTaskDependencies", False),
        ("allowTaskPreemption", False),
        ("constraints", {"maxWallClockTime": "P10675199DT2H48M5.4775807S", "maxTaskRetryCount": 0}),
        ("poolInfo", {"poolId": "p"}),
        ("executionInfo", {"startTime": "2024-01-01T00:00:00.5Z", "poolId": "p"}),
        ("onAllTasksComplete", "noaction"),
        ("onTaskFailure", "noaction"),
    ]


def test_preparation_and_release_tasks_get_the_recorded_defaults() -> None:
    user = {"autoUser": {"scope": "pool", "elevationLevel": "nonadmin"}}
    wire = job_wire(job(jobPreparationTask={"commandLine": "a"}, jobReleaseTask={"commandLine": "b"}), URL)
    assert list(wire["jobPreparationTask"].items()) == [
        ("id", "jobpreparation"),
        ("commandLine", "a"),
        (
            "constraints",
            {
                "maxWallClockTime": "P10675199DT2H48M5.4775807S",
                "retentionTime": "P7D",
                "maxTaskRetryCount": 0,
            },
        ),
        ("userIdentity", user),
        ("waitForSuccess", True),
        ("rerunOnNodeRebootAfterSuccess", True),
    ]
    assert list(wire["jobReleaseTask"].items()) == [
        ("id", "jobrelease"),
        ("commandLine", "b"),
        ("maxWallClockTime", "PT15M"),
        ("retentionTime", "P7D"),
        ("userIdentity", user),
    ]


def test_a_task_is_shown_with_the_recorded_defaults_in_the_recorded_order() -> None:
    wire = task_wire(task(job(), userIdentity={"autoUser": {"elevationLevel": "ADMIN"}}), URL)
    assert list(wire) == [
        *("id", "url", "eTag", "creationTime", "lastModified", "state", "stateTransitionTime", "commandLine"),
        *("userIdentity", "constraints", "requiredSlots", "executionInfo"),
    ]
    assert wire["userIdentity"] == {"autoUser": {"scope": "pool", "elevationLevel": "admin"}}
    assert wire["constraints"] == {
        "maxWallClockTime": "P10675199DT2H48M5.4775807S",
        "retentionTime": "P7D",
        "maxTaskRetryCount": 0,
    }
    assert wire["executionInfo"] == {"retryCount": 0, "requeueCount": 0}


def test_a_task_inherits_the_retry_count_that_its_job_has_when_it_is_added() -> None:
    parent = job(constraints={"maxTaskRetryCount": "5"})
    assert task(parent, id="a").spec["constraints"]["maxTaskRetryCount"] == 5
    assert task(parent, id="b", constraints={"retentionTime": "PT1H"}).spec["constraints"] == {
        "maxWallClockTime": "P10675199DT2H48M5.4775807S",
        "retentionTime": "PT1H",
        "maxTaskRetryCount": 5,
    }
    assert (
        task(parent, id="c", constraints={"maxTaskRetryCount": 0}).spec["constraints"]["maxTaskRetryCount"]
        == 0
    )


def test_a_task_ended_before_it_ran_has_an_empty_node_info() -> None:
    parent = job()
    one = task(parent)
    one.ended = AT
    parent.move_task(one, TaskState.COMPLETED, AT, failure={"category": "UserError", "code": "TaskEnded"})
    wire = task_wire(one, URL)
    assert wire["nodeInfo"] == {}
    assert list(wire["executionInfo"]) == ["endTime", "failureInfo", "result", "retryCount", "requeueCount"]
    assert wire["previousState"] == "active"


def test_enums_are_echoed_in_the_recorded_case() -> None:
    output = {
        "filePattern": "../std*.txt",
        "destination": {"container": {"path": "logs", "containerUrl": "http://c"}},
        "uploadOptions": {"uploadCondition": "taskcompletion"},
    }
    assert task(job(), outputFiles=[output]).spec["outputFiles"] == [
        {
            "filePattern": "../std*.txt",
            "destination": {"container": {"containerUrl": "http://c", "path": "logs"}},
            "uploadOptions": {"uploadCondition": "TaskCompletion"},
        }
    ]
    assert pool(taskSchedulingPolicy={"nodeFillType": "pack"}).spec["taskSchedulingPolicy"] == {
        "nodeFillType": "Pack",
        "jobDefaultOrder": "none",
    }


def test_a_pool_is_shown_with_the_recorded_defaults_in_the_recorded_order() -> None:
    wire = pool_wire(pool(), URL)
    assert list(wire) == [
        *("id", "url", "eTag", "lastModified", "creationTime", "state", "stateTransitionTime"),
        *("allocationState", "allocationStateTransitionTime", "vmSize", "resizeTimeout"),
        *("currentDedicatedNodes", "targetDedicatedNodes", "currentLowPriorityNodes"),
        *("targetLowPriorityNodes", "enableAutoScale", "enableInterNodeCommunication", "taskSlotsPerNode"),
        *("taskSchedulingPolicy", "virtualMachineConfiguration"),
    ]
    assert wire["vmSize"] == "standard_d2s_v3"
    assert wire["resizeTimeout"] == "PT15M"
    assert wire["taskSchedulingPolicy"] == {"nodeFillType": "Spread", "jobDefaultOrder": "none"}
    image = wire["virtualMachineConfiguration"]["imageReference"]
    assert image == {
        "publisher": "Canonical",
        "offer": "UbuntuServer",
        "sku": "18.04-LTS",
        "version": "latest",
    }


def test_every_member_shown_can_be_selected() -> None:
    parent = job(jobPreparationTask={"commandLine": "a"}, metadata=[{"name": "n", "value": "v"}])
    assert set(job_wire(parent, URL)) <= JOB_MEMBERS
    assert set(task_wire(task(parent, displayName="d"), URL)) <= TASK_MEMBERS
    full = pool(startTask={"commandLine": "s"}, userAccounts=[{"name": "u", "password": "x"}])
    assert set(pool_wire(full, URL)) <= POOL_MEMBERS


def test_a_password_is_not_echoed() -> None:
    one = pool(userAccounts=[{"name": "u", "password": "x", "elevationLevel": "admin"}])
    assert one.spec["userAccounts"] == [{"name": "u", "elevationLevel": "admin"}]
