from __future__ import annotations

from typing import Any

import pytest

from orchestrator.local.batch.store.creation import (
    check_task,
    find_task_id_conflict,
    make_pool,
    read_task,
)
from orchestrator.local.batch.store.pool_bodies import resize_body
from orchestrator.local.wire.api_error import ApiError
from tests.unit.local.batch.bodies import AT, POOL, TASK, job, pool, task

MACHINE = POOL["virtualMachineConfiguration"]
FILE = {"httpUrl": "http://b/x", "filePath": "x"}


def _refused(make: Any, *arguments: Any) -> ApiError:
    with pytest.raises(ApiError) as refusal:
        make(*arguments)
    return refusal.value


@pytest.mark.parametrize(
    ("changes", "code", "name"),
    [
        ({"id": "a b"}, "InvalidPropertyValue", "id"),
        ({"id": "x" * 65}, "InvalidPropertyValue", "id"),
        ({"id": None}, "MissingRequiredProperty", "id"),
        ({"commandLine": ""}, "InvalidPropertyValue", "commandLine"),
        ({"commandLine": None}, "MissingRequiredProperty", "commandLine"),
        ({"comandLine": "x"}, "UnsupportedProperty", "comandLine"),
        ({"requiredSlots": 0}, "InvalidPropertyValue", "requiredSlots"),
        ({"requiredSlots": True}, "InvalidPropertyValue", "requiredSlots"),
        ({"constraints": {"maxWallClockTime": "1h"}}, "InvalidPropertyValue", "maxWallClockTime"),
        ({"constraints": []}, "InvalidPropertyValue", "constraints"),
        ({"userIdentity": {}}, "InvalidPropertyValue", "userIdentity"),
        ({"resourceFiles": [{"filePath": "x"}]}, "InvalidPropertyValue", "resourceFiles"),
        ({"resourceFiles": [{"httpUrl": "http://b/x"}]}, "MissingRequiredProperty", "filePath"),
        ({"resourceFiles": [{**FILE, "filePath": "../x"}]}, "InvalidPropertyValue", "filePath"),
        ({"resourceFiles": [{**FILE, "filePath": "/x"}]}, "InvalidPropertyValue", "filePath"),
        ({"resourceFiles": [{**FILE, "blobPrefix": "p"}]}, "InvalidPropertyValue", "blobPrefix"),
        ({"environmentSettings": [{"value": "x"}]}, "MissingRequiredProperty", "name"),
        ({"dependsOn": {"taskIds": ["x" * 64_001]}}, "TaskDependencyListTooLong", None),
        (
            {"dependsOn": {"taskIdRanges": [{"start": 0, "end": 10**9}]}},
            "TaskDependencyRangesTooLong",
            None,
        ),
    ],
)
def test_a_wrong_task_is_refused_with_the_member_that_is_wrong(
    changes: dict[str, Any], code: str, name: str | None
) -> None:
    refusal = _refused(read_task, {**TASK, **changes})
    assert (refusal.status, refusal.code, refusal.values.get("PropertyName")) == (400, code, name)


@pytest.mark.parametrize(
    ("make", "body", "what"),
    [
        (read_task, {**TASK, "containerSettings": {"imageName": "x"}}, "containerSettings"),
        (read_task, {**TASK, "multiInstanceSettings": {"numberOfInstances": 2}}, "multiInstanceSettings"),
        (
            read_task,
            {**TASK, "applicationPackageReferences": [{"applicationId": "a"}]},
            "applicationPackageReferences",
        ),
        (
            read_task,
            {**TASK, "resourceFiles": [{"autoStorageContainerName": "c"}]},
            "autoStorageContainerName",
        ),
        (lambda body: make_pool(body, AT), {**POOL, "mountConfiguration": [{}]}, "mountConfiguration"),
        (
            lambda body: make_pool(body, AT),
            {
                **POOL,
                "virtualMachineConfiguration": {**MACHINE, "nodeAgentSKUId": "batch.node.windows amd64"},
            },
            "Windows",
        ),
        (
            lambda body: make_pool(body, AT),
            {
                **POOL,
                "virtualMachineConfiguration": {**MACHINE, "containerConfiguration": {"type": "docker"}},
            },
            "containerConfiguration",
        ),
        (
            lambda _: job(
                jobManagerTask={"id": "m", "commandLine": "c", "authenticationTokenSettings": {"access": []}}
            ),
            {},
            "authenticationTokenSettings",
        ),
        (
            lambda _: job(jobManagerTask={"id": "m", "commandLine": "c", "allowLowPriorityNode": False}),
            {},
            "allowLowPriorityNode",
        ),
    ],
)
def test_what_is_not_served_is_refused_by_name(make: Any, body: dict[str, Any], what: str) -> None:
    refusal = _refused(make, body)
    assert (refusal.status, refusal.code) == (501, "NotImplemented")
    assert what in refusal.message


def test_an_empty_list_of_what_is_not_served_asks_for_nothing() -> None:
    one = pool(applicationPackageReferences=[], certificateReferences=[])
    assert "applicationPackageReferences" not in one.spec


def test_numbers_and_booleans_may_come_as_strings() -> None:
    one = pool(targetDedicatedNodes="2", enableInterNodeCommunication="True", taskSlotsPerNode="4")
    assert one.spec["targetDedicatedNodes"] == 2
    assert one.spec["enableInterNodeCommunication"] is True
    assert one.spec["taskSlotsPerNode"] == 4


def test_a_resize_needs_a_target() -> None:
    refusal = _refused(resize_body, {})
    assert refusal.code == "MissingRequiredProperty"
    assert refusal.values["PropertyName"] == "targetDedicatedNodes and/or targetLowPriorityNodes"


def test_a_resize_timeout_is_at_least_five_minutes() -> None:
    refusal = _refused(resize_body, {"targetDedicatedNodes": 1, "resizeTimeout": "PT4M59S"})
    assert refusal.values["PropertyName"] == "resizeTimeout"


def test_dependencies_need_a_job_that_uses_them() -> None:
    spec = read_task({**TASK, "dependsOn": {"taskIds": ["a"]}})
    assert _refused(check_task, job(), spec).code == "TaskDependenciesNotSpecifiedOnJob"
    check_task(job(usesTaskDependencies=True), spec)


def test_exit_options_need_a_job_that_heeds_them() -> None:
    spec = read_task({**TASK, "exitConditions": {"default": {"jobAction": "terminate"}}})
    assert _refused(check_task, job(), spec).values["PropertyName"] == "jobAction"
    check_task(job(onTaskFailure="performexitoptionsjobaction"), spec)


def test_ids_of_a_job_are_taken_without_regard_to_case() -> None:
    parent = job(jobPreparationTask={"commandLine": "a"}, jobReleaseTask={"commandLine": "b"})
    task(parent, id="T1")
    codes = {
        name: find_task_id_conflict(parent, name) for name in ("t1", "JobPreparation", "jobrelease", "new")
    }
    assert {name: refusal and refusal.code for name, refusal in codes.items()} == {
        "t1": "TaskExists",
        "JobPreparation": "TaskIdSameAsJobPreparationTask",
        "jobrelease": "TaskIdSameAsJobReleaseTask",
        "new": None,
    }


def test_a_release_task_needs_a_preparation_task() -> None:
    refusal = _refused(lambda: job(jobReleaseTask={"commandLine": "b"}))
    assert refusal.values["PropertyName"] == "jobPreparationTask"
